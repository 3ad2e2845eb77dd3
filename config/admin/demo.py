"""The page that removes the demo data, after the word was typed."""

from __future__ import annotations

from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from config.demo import removing

WORD = "remove"


@staff_member_required
def remove_page(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("privacy.delete_shop"):
        raise PermissionDenied
    try:
        removing.check()
    except removing.NotADemoError:
        messages.error(request, _("This is not a demo; nothing was removed."))
        return redirect("admin:index")
    if request.method == "POST" and request.POST.get("word", "").strip().lower() == WORD:
        answer = render(request, "candor/demo_removed.html")
        removing.remove_and_stop()
        return answer
    context = {**admin.site.each_context(request), "title": _("Remove demo data"), "word": WORD}
    return render(request, "candor/remove_demo.html", context)
