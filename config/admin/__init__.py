from config.admin.home import home
from config.admin.site import badge, shop_name

__all__ = ["badge", "home", "shop_name"]
