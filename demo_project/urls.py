"""The addresses of the demo project."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("demo_project.accounts.urls")),
    path("tasks/", include("yao_tasks.urls")),
    path("admin/", admin.site.urls),
]
