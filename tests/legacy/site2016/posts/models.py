import json

from channels import Channel, Group
from django.db import models


class Blog(models.Model):
    slug = models.SlugField(unique=True)

    @property
    def group_name(self):
        return 'blog-%s' % self.id


class Post(models.Model):
    blog = models.ForeignKey(Blog, on_delete=models.CASCADE, related_name='posts')
    body = models.TextField()
    words = models.IntegerField(default=0)

    def send_notification(self):
        Group(self.blog.group_name).send({
            'text': json.dumps({'id': self.id, 'body': self.body, 'words': self.words}),
        })

    def save(self, *args, **kwargs):
        is_new = self.pk is None
        result = super(Post, self).save(*args, **kwargs)
        self.send_notification()
        if is_new:
            Channel('count-words').send({'post': self.pk})
        return result
