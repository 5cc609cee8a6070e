"""Texts for the customer, by the status that the order comes to.

Not translated: the customers are Russian, whatever language the shop's people read.
"""

TEXTS = {
    "paid": "Заказ {order.number} оплачен, {order.total} руб. Напишем, когда отправим.",
    "shipped": "Заказ {order.number} уже в пути. Сообщим, когда его можно будет забрать.",
    "ready": "Заказ {order.number} готов к выдаче: ул. Ленина, 5, ежедневно с 10:00 до 21:00.",
    "closed": "Заказ {order.number} выдан. Спасибо за покупку!",
}
