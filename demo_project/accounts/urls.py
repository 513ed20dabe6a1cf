"""The addresses of the accounts."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from demo_project.accounts import uploads, views

urlpatterns = [
    path("", views.signup, name="signup"),
    path("welcome/<int:pk>/", views.welcome, name="welcome"),
    path("welcome/<int:pk>/status/", views.welcome_status, name="welcome_status"),
    path("imports/", uploads.contacts, name="imports"),
    path("thumbnails/", uploads.pictures, name="thumbnails"),
    path("uploads/<int:pk>/", uploads.upload, name="upload"),
    path("uploads/<int:pk>/cancel/", uploads.cancel, name="upload_cancel"),
    path("uploads/<int:pk>/thumbnails/<str:name>", uploads.thumbnail, name="upload_thumbnail"),
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
