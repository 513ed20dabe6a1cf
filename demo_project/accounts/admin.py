"""Welcome mails in the admin: to look at, for their rows are written by jobs."""

from django.contrib import admin
from django.http import HttpRequest

from demo_project.accounts.models import WelcomeMail


@admin.register(WelcomeMail)
class WelcomeMailAdmin(admin.ModelAdmin):
    """Who got their mail, and why not."""

    list_display = ("user", "job_id", "status", "attempts", "created_at", "sent_at", "error")
    list_filter = ("status",)
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email", "=job_id")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody: signing up does."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: WelcomeMail | None = None) -> bool:
        """Nobody: the job's events do."""
        return False
