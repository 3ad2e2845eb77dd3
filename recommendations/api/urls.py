from django.urls import path

from recommendations.api.views import BoughtTogetherView, RecommendationsView, SimilarView

urlpatterns = [
    path("recommendations", RecommendationsView.as_view(), name="recommendations"),
    path("products/<str:product_id>/similar", SimilarView.as_view(), name="similar-products"),
    path(
        "products/<str:product_id>/bought-together",
        BoughtTogetherView.as_view(),
        name="bought-together",
    ),
]
