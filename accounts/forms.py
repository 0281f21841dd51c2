from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, PasswordResetForm, SetPasswordForm
from django.core.exceptions import ValidationError

from . import guessing
from .models import APIKey, User

EMAIL = forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})
NEW_PASSWORD = forms.PasswordInput(attrs={"autocomplete": "new-password"})
GOOD_PASSWORD = "At least 8 characters, and not one that everybody uses."
ACCOUNT_EXISTS = "There is already an account with this address. Sign in instead."


class SignUpForm(forms.Form):
    email = forms.EmailField(max_length=254, widget=EMAIL)
    password = forms.CharField(strip=False, widget=NEW_PASSWORD, help_text=GOOD_PASSWORD)

    def clean_email(self) -> str:
        email = self.cleaned_data["email"].lower()
        if User.objects.filter(email=email).exists():
            raise ValidationError(ACCOUNT_EXISTS, code="exists")
        return email

    def clean(self) -> dict[str, Any]:
        if password := self.cleaned_data.get("password"):
            try:
                password_validation.validate_password(password, User(email=self.cleaned_data.get("email", "")))
            except ValidationError as weak:
                self.add_error("password", weak)
        return self.cleaned_data


class SignInForm(AuthenticationForm):
    """Signs in by email address; counts attempts before it looks at the password."""

    username = forms.EmailField(label="Email", widget=EMAIL)
    error_messages = {
        "invalid_login": "The email address and the password do not belong together. Both are checked as typed.",
        "inactive": "This account is switched off. Ask whoever runs this server.",
    }

    def clean(self) -> dict[str, Any]:
        email = self.cleaned_data.get("username")
        if not email:
            return self.cleaned_data
        try:
            guessing.count_password(self.request, email)
        except guessing.TooManyAttempts as stop:
            raise ValidationError(str(stop), code="wait") from stop
        cleaned = super().clean()
        guessing.forgive_password(self.request, email)
        return cleaned


class ResetForm(PasswordResetForm):
    """Asks for a reset mail; past a few an hour nothing more is sent, and nobody learns which accounts exist."""

    email = forms.EmailField(max_length=254, widget=EMAIL)

    def save(self, *args: Any, **kwargs: Any) -> None:
        try:
            guessing.count(guessing.RESET_MAIL_PER_ACCOUNT, self.cleaned_data["email"].lower())
            guessing.count(guessing.RESET_MAIL_PER_ADDRESS, guessing.client_address(kwargs["request"]))
        except guessing.TooManyAttempts:
            return
        super().save(*args, **kwargs)


class NewPasswordForm(SetPasswordForm):
    new_password1 = forms.CharField(label="New password", strip=False, widget=NEW_PASSWORD, help_text=GOOD_PASSWORD)
    new_password2 = forms.CharField(label="New password again", strip=False, widget=NEW_PASSWORD)


class ChangePasswordForm(NewPasswordForm, PasswordChangeForm):
    pass


class ProfileForm(forms.ModelForm):
    current_password = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="Needed only to change the email address.",
    )

    class Meta:
        model = User
        fields = ["first_name", "last_name", "email"]
        error_messages = {"email": {"unique": "Another account uses this address."}}

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        right = self.instance.check_password(cleaned.get("current_password", ""))
        if "email" in self.changed_data and "email" in cleaned and not right:
            self.add_error("current_password", "Type your current password to change the email address.")
        return cleaned


class KeyForm(forms.ModelForm):
    class Meta:
        model = APIKey
        fields = ["name"]
        widgets = {"name": forms.TextInput(attrs={"placeholder": "Where it will be used: laptop, build server …"})}
