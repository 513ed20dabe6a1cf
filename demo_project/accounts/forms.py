"""What a visitor fills in."""

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _


class SignUpForm(UserCreationForm):
    """Django's own form for a new user, and where the welcome mail goes."""

    email = forms.EmailField(
        label=_("Email"),
        help_text=_("Your welcome mail goes here."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )

    class Meta(UserCreationForm.Meta):
        """The fields, in their order on the page."""

        model = User
        fields = ("username", "email")
