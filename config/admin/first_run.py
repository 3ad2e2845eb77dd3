"""The page of the first start: which shop this is, and who its administrator is."""

from __future__ import annotations

from django import forms
from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config import first_run
from privacy.admin.shop import ShopForm
from privacy.models import Shop, Staff


class OwnerForm(forms.Form):
    username = forms.CharField(label=_("User name"), max_length=150)
    email = forms.EmailField(
        label=_("E-mail"), required=False, help_text=_("Test messages go there.")
    )
    password = forms.CharField(
        label=_("Password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least eight characters, not only digits, not a common one."),
    )

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, Staff(username=self.cleaned_data.get("username", "")))
        return password


def first_run_page(request: HttpRequest) -> HttpResponse:
    """GET shows the form, POST keeps it; by the one-time link, or as an administrator."""
    token = str(request.POST.get("token") or request.GET.get("token") or "")
    opened = first_run.token_fits(token)
    if not opened and not request.user.has_perm("privacy.change_shop"):
        raise PermissionDenied(_("Open the link that the server printed when it started."))
    form = ShopForm(request.POST or None, instance=Shop.objects.first())
    owner = OwnerForm(request.POST or None, label_suffix="") if opened else None
    if request.method == "POST" and form.is_valid() and (owner is None or owner.is_valid()):
        account = first_run.finish(
            form.instance,
            username=owner.cleaned_data["username"] if owner else "",
            email=owner.cleaned_data["email"] if owner else "",
            password=owner.cleaned_data["password"] if owner else "",
            now=timezone.now(),
        )
        if account is not None:
            login(request, account, backend="privacy.roles.RoleBackend")
        return redirect("admin:index")
    return render(request, "candor/first_run.html", {"form": form, "owner": owner, "token": token})
