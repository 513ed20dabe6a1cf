"""What a visitor fills in."""

from typing import Any

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


# Bytes of one file.
LARGEST = 5 * 2**20


def _is_small(file: Any) -> None:
    if file.size > LARGEST:
        raise forms.ValidationError(_("This file is larger than 5 MB."))


class ContactsForm(forms.Form):
    """A list of contacts."""

    file = forms.FileField(
        label=_("CSV file"),
        help_text=_("Its first line is: name,email"),
        validators=[_is_small],
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )


class PicturesForm(forms.Form):
    """A picture. Whether it is one is found out by the job: that computes."""

    file = forms.FileField(
        label=_("Picture"), validators=[_is_small], widget=forms.FileInput(attrs={"accept": "image/*"})
    )
