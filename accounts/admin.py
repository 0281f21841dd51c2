"""The staff's view of accounts, keys and credits. Balances change through ledger.py only, keys are only revoked."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from . import ledger
from .models import APIKey, CreditEntry, User
from .registration import welcome

MANUAL = (CreditEntry.Kind.GRANT, CreditEntry.Kind.ADJUST)


def staff_login(request: HttpRequest) -> HttpResponse:
    """Staff sign in where everybody does, where guessing of passwords is slowed down."""
    if request.user.is_authenticated and not admin.site.has_permission(request):
        raise PermissionDenied
    index = reverse("admin:index")
    if request.user.is_authenticated:
        return HttpResponseRedirect(index)
    return redirect_to_login(request.GET.get("next", index))


admin.site.site_header = admin.site.site_title = "Soloist, for staff"
admin.site.login = staff_login  # type: ignore[method-assign]


class LowercaseEmail:
    """Addresses that differ only in case are one account."""

    def clean_email(self) -> str:
        email = self.cleaned_data["email"].lower()  # type: ignore[attr-defined]
        others = User.objects.filter(email=email).exclude(pk=self.instance.pk)  # type: ignore[attr-defined]
        if others.exists():
            raise ValidationError("There is already an account with this address.")
        return email


class UserAddForm(LowercaseEmail, AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("email",)


class UserEditForm(LowercaseEmail, UserChangeForm):
    class Meta:
        model = User
        fields = "__all__"
        field_classes: dict[str, Any] = {}


class CreditForm(forms.Form):
    kind = forms.ChoiceField(
        choices=[("grant", "Grant: give credits"), ("adjust", "Adjust: correct the balance, up or down")],
        widget=forms.RadioSelect,
        initial="grant",
    )
    credits = forms.IntegerField(
        min_value=-(10**12), max_value=10**12, help_text="Whole credits; an adjustment may be negative."
    )
    reason = forms.CharField(max_length=200, help_text="Shown to the user in the credit history.")
    last_entry = forms.IntegerField(widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        credits = cleaned.get("credits")
        if credits is not None and cleaned.get("kind") == "grant" and credits <= 0:
            self.add_error("credits", "A grant is a positive number of credits.")
        elif credits == 0:
            self.add_error("credits", "An adjustment of 0 changes nothing.")
        return cleaned


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    form = UserEditForm
    add_form = UserAddForm
    ordering = ("-date_joined",)
    list_display = ("email", "is_active", "is_staff", "available", "keys", "date_joined", "last_login")
    list_filter = ("is_active", "is_staff", "date_joined")
    list_select_related = ("credits",)
    search_fields = ("email", "first_name", "last_name")
    actions = ("deactivate", "activate")
    readonly_fields = ("id", "balance", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("id", "email", "password", "first_name", "last_name")}),
        ("Credits", {"fields": ("balance",)}),
        ("Permissions", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).annotate(keys=Count("api_keys", filter=APIKey.letting_in("api_keys__")))

    # --- who may do what

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False  # deleting would take ledger entries and jobs along; accounts are deactivated

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_credit_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.add_creditentry")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        if request.user.is_superuser:
            return self.readonly_fields
        return (*self.readonly_fields, "is_staff", "is_superuser", "groups", "user_permissions")

    # --- columns and fields

    @admin.display(ordering="credits__available", description="credits")
    def available(self, user: User) -> int:
        return user.credits.available if hasattr(user, "credits") else 0

    @admin.display(ordering="keys", description="active keys")
    def keys(self, user: Any) -> int:
        return user.keys

    def balance(self, user: User) -> str:
        available, held = stored_balance(user)
        entries = reverse("admin:accounts_creditentry_changelist") + f"?user__id__exact={user.pk}"
        return format_html('{} available, {} held. <a href="{}">Entries</a>', available, held, entries)

    # --- actions

    @admin.action(description="Deactivate selected users", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._set_active(request, queryset.exclude(pk=request.user.pk), False)

    @admin.action(description="Activate selected users", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._set_active(request, queryset, True)

    def _set_active(self, request: HttpRequest, queryset: QuerySet[User], active: bool) -> None:
        allowed = [user for user in queryset.exclude(is_active=active) if self.has_change_permission(request, user)]
        for user in allowed:
            User.objects.filter(pk=user.pk).update(is_active=active)
            self.log_change(request, user, "Activated." if active else "Deactivated.")
        self.message_user(request, f"{'Activated' if active else 'Deactivated'} {len(allowed)} of the selected users.")

    # --- pages

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm[User], change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            welcome(obj, actor=request.user)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        user = self.get_object(request, object_id)
        if user and request.method == "GET":
            self._warn_of_a_wrong_balance(request, user)
        context = {"may_change_credits": self.has_credit_permission(request), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def _warn_of_a_wrong_balance(self, request: HttpRequest, user: User) -> None:
        stored, counted = stored_balance(user), ledger.recount(user)
        if stored != counted:
            warning = f"The balance is wrong: it says {stored[0]} available and {stored[1]} held, "
            warning += f"the entries add up to {counted[0]} and {counted[1]}."
            self.message_user(request, warning, messages.ERROR)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.credits_view)
        return [path("<uuid:pk>/credits/", view, name="accounts_user_credits"), *super().get_urls()]

    def credits_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Grant or adjust credits, with a reason and in the name of whoever does it."""
        if not self.has_credit_permission(request):
            raise PermissionDenied
        user = get_object_or_404(User, pk=pk)
        form = CreditForm(request.POST or None, initial={"last_entry": last_manual_entry(user)})
        if request.method == "POST" and form.is_valid() and self._change_credits(request, user, form):
            return HttpResponseRedirect(reverse("admin:accounts_user_change", args=[pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Credits of {user}",
            "opts": self.opts,
            "original": user,
            "form": form,
            "balance": self.balance(user),
        }
        return TemplateResponse(request, "admin/accounts/user/credits.html", context)

    def _change_credits(self, request: HttpRequest, user: User, form: CreditForm) -> bool:
        """False, with the error in the form, where the credits were not changed."""
        data = form.cleaned_data
        change = getattr(ledger, data["kind"])
        try:
            with transaction.atomic():
                User.objects.select_for_update().get(pk=user.pk)
                if data["last_entry"] != last_manual_entry(user):
                    form.add_error(None, "Credits were changed by staff since this form was opened. Open it anew.")
                    return False
                change(user, data["credits"], reason=data["reason"], actor=request.user)
        except ledger.InsufficientCredits as short:
            form.add_error("credits", f"Only {short.available} credits are available.")
            return False
        text = f"{data['kind'].capitalize()} of {data['credits']:+d} credits: {data['reason']}"
        self.log_change(request, user, text)
        self.message_user(request, text, messages.SUCCESS)
        return True


def stored_balance(user: User) -> tuple[int, int]:
    return (user.credits.available, user.credits.held) if hasattr(user, "credits") else (0, 0)


def last_manual_entry(user: User) -> int:
    """What the credit form was opened on: a form sent twice, or by two people, changes the balance once."""
    entry = CreditEntry.objects.filter(user=user, kind__in=MANUAL).values_list("pk", flat=True).first()
    return entry or 0


class ReadOnlyAdmin(admin.ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(APIKey)
class APIKeyAdmin(ReadOnlyAdmin):
    list_display = ("prefix", "name", "user", "active", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "created_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("prefix", "name", "user__email")
    fields = ("user", "name", "prefix", "created_at", "last_used_at", "expires_at", "revoked_at")
    actions = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_apikey")

    @admin.display(boolean=True)
    def active(self, key: APIKey) -> bool:
        return key.active

    @admin.action(description="Revoke selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[APIKey]) -> None:
        active = list(queryset.filter(revoked_at=None))
        for key in active:
            key.revoke()
            self.log_change(request, key, "Revoked.")
        self.message_user(request, f"Revoked {len(active)} keys; {queryset.count() - len(active)} were revoked before.")


@admin.register(CreditEntry)
class CreditEntryAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "user", "kind", "available_change", "held_change", "service", "reason", "actor")
    list_filter = ("kind", "service", "created_at")
    list_select_related = ("user", "actor")
    search_fields = ("user__email", "actor__email", "job", "reason")
    date_hierarchy = "created_at"
