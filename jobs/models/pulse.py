from django.db import models
from django.utils.translation import gettext_lazy as _


class Pulse(models.Model):
    """When a task last came through a queue: proof that a worker consumes, not just lives."""

    queue = models.CharField(_("queue"), max_length=8, unique=True)
    beat_at = models.DateTimeField(_("beat at"))

    class Meta:
        verbose_name = _("pulse")
        verbose_name_plural = _("pulses")

    def __str__(self) -> str:
        return self.queue
