from channels.routing import route, route_class

from stock.demultiplexers import Demultiplexer

routing = [
    route_class(Demultiplexer, path=r"^/stock/(?P<shelf>\w+)/$"),
    route("stock.remind", "stock.consumers.remind"),
]
