from jobs.models.job import Job, JobQuerySet
from jobs.models.pulse import Pulse

__all__ = ["Job", "JobQuerySet", "Pulse"]
