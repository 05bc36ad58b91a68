import json
import logging

from channels import Group
from channels.auth import channel_session_user, channel_session_user_from_http
from channels.sessions import enforce_ordering

from .models import Blog, Post

log = logging.getLogger(__name__)


@enforce_ordering(slight=True)
@channel_session_user_from_http
def connect_blog(message):
    prefix, slug = message['path'].strip('/').split('/')[:2]
    if not message.reply_channel.name.startswith('daphne.response'):
        log.info('A socket of %s from some other server', prefix)
    blog, _ = Blog.objects.get_or_create(slug=slug)
    message.channel_session['slug'] = slug
    Group(blog.group_name).add(message.reply_channel)


@enforce_ordering(slight=True)
@channel_session_user
def receive_comment(message):
    blog = Blog.objects.get(slug=message.channel_session['slug'])
    Group(blog.group_name).send({
        'text': json.dumps({'comment': message['text'], 'by': message.user.username or 'somebody'}),
    })


@enforce_ordering(slight=True)
@channel_session_user
def disconnect_blog(message):
    blog = Blog.objects.get(slug=message.channel_session['slug'])
    Group(blog.group_name).discard(message.reply_channel)


def count_words(message):
    post = Post.objects.get(pk=message['post'])
    post.words = len(post.body.split())
    post.save()
