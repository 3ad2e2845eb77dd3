from django.urls import path

from profiles.api import carts, customers, events, merges, orders, segments, traits

CALLS = {
    "track": "t",
    "identify": "i",
    "page": "p",
    "screen": "s",
    "group": "g",
    "alias": "a",
}

urlpatterns = [
    path("batch", events.batch, name="batch"),
    *(path(kind, events.single, {"kind": kind}, name=kind) for kind in CALLS),
    *(path(short, events.single, {"kind": kind}) for kind, short in CALLS.items()),
    path("projects/<str:write_key>/settings", events.project_settings, name="project-settings"),
    path("orders/batch", orders.OrderBatchView.as_view(), name="orders-batch"),
    path("orders/<str:number>", orders.OrderView.as_view(), name="order"),
    path("carts/restore/<str:token>", carts.RestoreView.as_view(), name="cart-restore"),
    path("carts/<str:cart_id>", carts.CartView.as_view(), name="cart"),
    path("carts/<str:cart_id>/restore-token", carts.TokenView.as_view(), name="cart-token"),
    path("customers/batch", customers.CustomerBatchView.as_view(), name="customers-batch"),
    path("customers/<str:external_id>", customers.CustomerView.as_view(), name="customer"),
    path(
        "customers/<str:external_id>/identifiers",
        merges.IdentifiersView.as_view(),
        name="identifiers",
    ),
    path("customers/<str:external_id>/merges", merges.MergesView.as_view(), name="merges"),
    path(
        "customers/<str:external_id>/merges/<uuid:uuid>/undo",
        merges.UndoView.as_view(),
        name="undo-merge",
    ),
    path("customers/<str:external_id>/consents", customers.ConsentsView.as_view(), name="consents"),
    path(
        "customers/<str:external_id>/export",
        customers.ExportView.as_view(),
        name="customer-export",
    ),
    path(
        "customers/<str:external_id>/exports/<uuid:uuid>",
        customers.ExportFileView.as_view(),
        name="customer-export-file",
    ),
    path("segments", segments.SegmentsView.as_view(), name="segments"),
    path("segments/preview", segments.PreviewView.as_view(), name="segment-preview"),
    path("segments/<uuid:uuid>", segments.SegmentView.as_view(), name="segment"),
    path("segments/<uuid:uuid>/members", segments.MembersView.as_view(), name="segment-members"),
    path("traits", traits.TraitsView.as_view(), name="traits"),
    path("traits/preview", traits.PreviewView.as_view(), name="trait-preview"),
    path("traits/<slug:name>", traits.TraitView.as_view(), name="trait"),
    path("lists", segments.ListsView.as_view(), name="lists"),
]
