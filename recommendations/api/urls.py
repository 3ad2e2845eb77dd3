from django.urls import path

from recommendations.api.feed_files import FeedFileView, FeedImportView, FeedReportView
from recommendations.api.feeds import FeedFetchView, MerchantView, MerchantXmlView
from recommendations.api.products import ProductBatchView, ProductView
from recommendations.api.views import (
    BatchView,
    BoughtTogetherView,
    RecommendationsView,
    SimilarView,
)

urlpatterns = [
    path("products/batch", ProductBatchView.as_view(), name="product-batch"),
    path("products/<str:product_id>", ProductView.as_view(), name="product"),
    path("feeds/merchant.tsv", MerchantView.as_view(), name="merchant-tsv"),
    path("feeds/merchant.xml", MerchantXmlView.as_view(), name="merchant-xml"),
    path("feeds/<str:name>/fetch", FeedFetchView.as_view(), name="fetch-feed"),
    path("feeds/<str:name>/file", FeedFileView.as_view(), name="send-feed"),
    path("feeds/imports/<uuid:uuid>", FeedImportView.as_view(), name="feed-import"),
    path("feeds/imports/<uuid:uuid>/report", FeedReportView.as_view(), name="feed-report"),
    path("recommendations", RecommendationsView.as_view(), name="recommendations"),
    path("recommendations/batch", BatchView.as_view(), name="recommendations-batch"),
    path("products/<str:product_id>/similar", SimilarView.as_view(), name="similar-products"),
    path(
        "products/<str:product_id>/bought-together",
        BoughtTogetherView.as_view(),
        name="bought-together",
    ),
]
