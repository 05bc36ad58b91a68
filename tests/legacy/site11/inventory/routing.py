from channels.routing import route_class

from stock.demultiplexers import Demultiplexer

routing = [
    route_class(Demultiplexer, path=r"^/stock/(?P<shelf>\w+)/$"),
]
