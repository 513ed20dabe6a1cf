"""The addresses of the accounts."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from demo_project.accounts import views

urlpatterns = [
    path("", views.signup, name="signup"),
    path("welcome/<int:pk>/", views.welcome, name="welcome"),
    path("welcome/<int:pk>/status/", views.welcome_status, name="welcome_status"),
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
