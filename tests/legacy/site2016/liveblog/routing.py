# Channel name -> consumer. Consumers look at the path themselves.
channel_routing = {
    'websocket.connect': 'posts.consumers.connect_blog',
    'websocket.receive': 'posts.consumers.receive_comment',
    'websocket.disconnect': 'posts.consumers.disconnect_blog',
    'count-words': 'posts.consumers.count_words',
}
