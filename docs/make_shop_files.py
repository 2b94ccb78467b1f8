"""
Write the files of *Your CSV in ten minutes*: orders and products of a shop, with columns as a shop would name them.

They are the events of 150 readers of the bookshop (:func:`skrec.datasets.load_bookshop`), in English and in Chinese.
"""

from pathlib import Path

import pandas as pd

from skrec.datasets import load_bookshop

FOLDER = Path(__file__).parent / "user_guide" / "shop"
NAMES = {
    "en": ("orders.csv", "products.csv", ["customer_no", "sku", "ordered_at"], ["sku", "name", "author", "about"]),
    "zh": ("订单.csv", "商品.csv", ["客户编号", "商品编号", "下单时间"], ["商品编号", "商品名称", "作者", "商品简介"]),
}


def write(language: str) -> None:
    """The two files of one language."""
    orders_file, products_file, order_columns, product_columns = NAMES[language]
    shop = load_bookshop(language=language, frame="pandas")
    orders = shop.X[shop.X["user"] <= "reader-150"].sort_values("timestamp", kind="stable")
    orders = orders.assign(
        user="C" + orders["user"].str.removeprefix("reader-"),
        item=orders["item"].str.removeprefix("bk-"),
        timestamp=pd.to_datetime(orders["timestamp"], unit="s").dt.strftime("%Y-%m-%d %H:%M"),
    )
    orders[["user", "item", "timestamp"]].to_csv(FOLDER / orders_file, index=False, header=order_columns)
    books = shop.item_features.assign(item_id=shop.item_features["item_id"].str.removeprefix("bk-"))
    books = books[["item_id", "title", "author", "description"]]
    books.to_csv(FOLDER / products_file, index=False, header=product_columns)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for language in NAMES:
        write(language)
