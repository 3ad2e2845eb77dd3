"""The demo shop's products: invented brands, plausible specifications, texts in two languages."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

LINES = ("Air", "Core", "Drift", "Edge", "Flow", "Glide", "Halo", "Ion", "Lark", "Nova")
STEPS = ("", " Plus", " Pro", " Max")


@dataclass(frozen=True)
class Category:
    """A kind of product: words, price band (major units), margin, what it goes with.

    `specs` maps a specification to its choices, cheapest first; `repeat_days` is the usual
    time until the same person buys one again (0: rarely).
    """

    key: str
    name: str
    name_zh: str
    noun: str
    noun_zh: str
    price: tuple[float, float]
    margin: float
    brands: tuple[str, ...]
    specs: dict[str, tuple[object, ...]]
    repeat_days: int = 0
    goes_with: tuple[str, ...] = ()


@dataclass(frozen=True)
class DemoProduct:
    product_id: str
    category: Category
    brand: str
    title: str
    title_zh: str
    description: str
    description_zh: str
    price_minor: int
    cost_minor: int
    specs: dict[str, object] = field(default_factory=dict)

    @property
    def level(self) -> float:
        """Where the price stands in the category's band, 0 (cheapest) to 1."""
        low, high = self.category.price
        return min(1.0, max(0.0, (self.price_minor / 100 - low) / (high - low)))


AUDIO = ("Nordwave", "Aurelo", "Tonbridge", "Soneva")
COMPUTING = ("Tessera", "Pinehill", "Kestrel", "Lumenix")
PHOTO = ("Opticraft", "Halden", "Lumenix")
MOBILE = ("Kitefly", "Aurelo", "Jadepeak", "Vanta")
POWER = ("Voltaic", "Kitefly", "Jadepeak", "Anode")
HOME = ("Hearthly", "Jadepeak", "Pinehill")
PLAY = ("Ludix", "Kestrel", "Vanta")

CATEGORIES = (
    Category("headphones", "Headphones", "头戴式耳机", "wireless headphones", "无线头戴式耳机", (49, 379), 0.34, AUDIO,
             {"battery_hours": (24, 35, 50, 60), "noise_cancelling": (False, True, True, True), "bluetooth": ("5.0", "5.2", "5.3", "5.4")}, goes_with=("cables", "earbuds")),
    Category("earbuds", "Earbuds", "真无线耳机", "wireless earbuds", "真无线耳机", (29, 249), 0.36, AUDIO,
             {"battery_hours": (5, 6, 8, 10), "water_rating": ("IPX4", "IPX5", "IP55", "IP57"), "bluetooth": ("5.2", "5.3", "5.3", "5.4")}, goes_with=("headphones", "speakers")),
    Category("speakers", "Speakers", "音箱", "portable speaker", "便携音箱", (35, 299), 0.33, AUDIO,
             {"watts": (10, 20, 30, 60), "water_rating": ("IPX5", "IPX7", "IP67", "IP67"), "battery_hours": (10, 12, 20, 24)}, goes_with=("cables", "headphones")),
    Category("phones", "Phones", "手机", "smartphone", "智能手机", (219, 1199), 0.14, MOBILE,
             {"storage_gb": (128, 128, 256, 512), "screen_inches": (6.1, 6.4, 6.7, 6.8), "battery_mah": (4300, 4800, 5000, 5400)}, goes_with=("cases", "chargers", "earbuds", "powerbanks")),
    Category("cases", "Phone cases", "手机壳", "phone case", "手机壳", (12, 49), 0.62, MOBILE,
             {"material": ("TPU", "silicone", "aramid", "leather"), "magnetic": (False, True, True, True)}, 260, ("phones",)),
    Category("chargers", "Chargers", "充电器", "USB-C charger", "USB-C 充电器", (15, 89), 0.48, POWER,
             {"watts": (20, 45, 65, 140), "ports": (1, 2, 3, 4), "gan": (False, True, True, True)}, 420, ("phones", "laptops", "cables")),
    Category("cables", "Cables", "数据线", "USB-C cable", "USB-C 数据线", (8, 39), 0.6, POWER,
             {"metres": (1, 2, 2, 3), "watts": (60, 100, 140, 240), "gbps": (0.5, 5, 10, 40)}, 150, ("chargers", "laptops")),
    Category("powerbanks", "Power banks", "充电宝", "power bank", "充电宝", (19, 119), 0.42, POWER,
             {"capacity_mah": (5000, 10000, 20000, 26000), "watts": (15, 22.5, 45, 100)}, 500, ("phones", "cables")),
    Category("laptops", "Laptops", "笔记本电脑", "laptop", "笔记本电脑", (549, 2399), 0.13, COMPUTING,
             {"memory_gb": (8, 16, 16, 32), "storage_gb": (256, 512, 1024, 2048), "screen_inches": (13.3, 14.0, 15.6, 16.0)}, goes_with=("mice", "monitors", "storage", "chargers")),
    Category("monitors", "Monitors", "显示器", "monitor", "显示器", (139, 899), 0.2, COMPUTING,
             {"screen_inches": (24, 27, 27, 32), "resolution": ("1080p", "1440p", "4K", "4K"), "hertz": (75, 100, 144, 165)}, goes_with=("laptops", "cables")),
    Category("keyboards", "Keyboards", "键盘", "mechanical keyboard", "机械键盘", (39, 219), 0.38, COMPUTING,
             {"layout": ("full", "TKL", "75 %", "65 %"), "wireless": (False, True, True, True)}, goes_with=("mice", "monitors")),
    Category("mice", "Mice", "鼠标", "wireless mouse", "无线鼠标", (19, 149), 0.4, COMPUTING,
             {"dpi": (4000, 8000, 16000, 30000), "weight_g": (110, 95, 78, 58)}, 700, ("keyboards", "laptops")),
    Category("storage", "Storage", "存储", "portable SSD", "移动固态硬盘", (39, 319), 0.26, ("Tessera", "Anode", "Opticraft"),
             {"storage_gb": (250, 500, 1000, 4000), "gbps": (5, 10, 20, 40)}, 380, ("laptops", "cameras")),
    Category("cameras", "Cameras", "相机", "mirrorless camera", "微单相机", (449, 2599), 0.17, PHOTO,
             {"megapixels": (20, 24, 33, 45), "video": ("4K30", "4K60", "4K60", "8K30")}, goes_with=("lenses", "cards")),
    Category("lenses", "Lenses", "镜头", "camera lens", "相机镜头", (179, 1499), 0.24, PHOTO,
             {"focal_mm": ("35", "50", "24-70", "70-200"), "aperture": ("f/2.8", "f/1.8", "f/2.8", "f/2.8")}, goes_with=("cameras",)),
    Category("cards", "Memory cards", "存储卡", "memory card", "存储卡", (12, 129), 0.45, ("Anode", "Opticraft", "Tessera"),
             {"storage_gb": (64, 128, 256, 512), "read_mb_s": (100, 160, 200, 300)}, 210, ("cameras",)),
    Category("watches", "Smartwatches", "智能手表", "smartwatch", "智能手表", (79, 549), 0.27, MOBILE,
             {"battery_days": (2, 5, 10, 14), "gps": (False, True, True, True), "water_rating": ("5 ATM", "5 ATM", "5 ATM", "10 ATM")}, goes_with=("phones", "earbuds")),
    Category("controllers", "Game controllers", "游戏手柄", "game controller", "游戏手柄", (29, 179), 0.33, PLAY,
             {"wireless": (False, True, True, True), "hall_sticks": (False, False, True, True)}, 600, ("headsets", "monitors")),
    Category("headsets", "Gaming headsets", "游戏耳机", "gaming headset", "游戏耳机", (39, 229), 0.34, PLAY,
             {"wireless": (False, False, True, True), "surround": (False, True, True, True)}, goes_with=("controllers", "keyboards")),
    Category("routers", "Routers", "路由器", "Wi-Fi router", "无线路由器", (49, 399), 0.25, HOME,
             {"wifi": ("Wi-Fi 6", "Wi-Fi 6", "Wi-Fi 6E", "Wi-Fi 7"), "gbps": (1.8, 3.0, 5.4, 11)}, goes_with=("smarthome",)),
    Category("smarthome", "Smart home", "智能家居", "smart home sensor", "智能家居传感器", (15, 129), 0.41, HOME,
             {"protocol": ("Wi-Fi", "Zigbee", "Thread", "Matter"), "battery_months": (6, 12, 24, 24)}, 120, ("routers",)),
    Category("readers", "E-readers", "电子书阅读器", "e-reader", "电子书阅读器", (99, 349), 0.21, ("Pinehill", "Jadepeak"),
             {"screen_inches": (6.0, 6.8, 7.8, 10.3), "storage_gb": (8, 16, 32, 64)}, goes_with=("cases",)),
)  # fmt: skip
BY_KEY = {category.key: category for category in CATEGORIES}

_WORDS = {
    "battery_hours": ("{} hours of battery", "续航 {} 小时"),
    "battery_days": ("{} days of battery", "续航 {} 天"),
    "battery_mah": ("{} mAh battery", "{} mAh 电池"),
    "battery_months": ("{} months of battery", "电池可用 {} 个月"),
    "capacity_mah": ("{} mAh", "{} mAh 容量"),
    "bluetooth": ("Bluetooth {}", "蓝牙 {}"),
    "water_rating": ("water protection {}", "防水 {}"),
    "watts": ("{} W", "{} W 功率"),
    "storage_gb": ("{} GB storage", "{} GB 存储"),
    "memory_gb": ("{} GB memory", "{} GB 内存"),
    "screen_inches": ("{} inch screen", "{} 英寸屏幕"),
    "material": ("made of {}", "{} 材质"),
    "ports": ("{} ports", "{} 个接口"),
    "metres": ("{} m long", "长 {} 米"),
    "gbps": ("{} Gbit/s", "{} Gbit/s"),
    "resolution": ("{} picture", "{} 分辨率"),
    "hertz": ("{} Hz", "{} Hz 刷新率"),
    "layout": ("{} layout", "{} 配列"),
    "dpi": ("{} dpi", "{} dpi"),
    "weight_g": ("{} g light", "仅重 {} 克"),
    "megapixels": ("{} megapixels", "{} MP 像素"),
    "video": ("{} video", "{} 视频"),
    "focal_mm": ("{} mm", "{} mm 焦距"),
    "aperture": ("aperture {}", "光圈 {}"),
    "read_mb_s": ("reads {} MB/s", "读取 {} MB/s"),
    "protocol": ("speaks {}", "支持 {}"),
    "wifi": ("{}", "{}"),
    "noise_cancelling": ("noise cancelling", "主动降噪"),
    "magnetic": ("magnetic ring", "磁吸"),
    "gan": ("GaN inside", "氮化镓"),
    "wireless": ("wireless", "无线"),
    "gps": ("GPS", "GPS"),
    "hall_sticks": ("Hall-effect sticks", "霍尔摇杆"),
    "surround": ("surround sound", "环绕声"),
}


def products(seed: int) -> list[DemoProduct]:
    """At least 300 products, the same for the same seed, in the order of their ids."""
    chance = random.Random(seed)  # noqa: S311 -- demo data, not a secret
    made = []
    for category in CATEGORIES:
        names = [(brand, line) for brand in category.brands for line in chance.sample(LINES, 2)]
        for brand, line in names:
            steps = chance.choice(((0, 1), (0, 2), (0, 1, 2), (1, 2, 3)))
            made += [_product(category, brand, line, step, chance) for step in steps]
    return made


def _product(
    category: Category, brand: str, line: str, step: int, chance: random.Random
) -> DemoProduct:
    low, high = category.price
    level = (step + chance.random() * 0.9) / 4
    price = round(low * (high / low) ** level) - 0.01
    specs = {name: choices[step] for name, choices in category.specs.items()}
    told = [_WORDS[name] for name, value in specs.items() if value is not False]
    values = [value for value in specs.values() if value is not False]
    english = ", ".join(w[0].format(v) for w, v in zip(told, values, strict=True))
    chinese = "，".join(w[1].format(v) for w, v in zip(told, values, strict=True))
    model = f"{brand} {line}{STEPS[step]}"
    return DemoProduct(
        product_id=f"{category.key[:3]}-{brand[:3]}-{line}{step}".lower(),
        category=category,
        brand=brand,
        title=f"{model} {category.noun}",
        title_zh=f"{model} {category.noun_zh}",
        description=f"{model} {category.noun}: {english}.",
        description_zh=f"{model} {category.noun_zh}：{chinese}。",
        price_minor=round(price * 100),
        cost_minor=round(price * 100 * (1 - category.margin - chance.uniform(-0.03, 0.03))),
        specs=specs,
    )
