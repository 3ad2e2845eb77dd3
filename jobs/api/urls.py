from django.urls import path

from jobs.api.views import JobView

urlpatterns = [path("jobs/<uuid:uuid>", JobView.as_view(), name="job")]
