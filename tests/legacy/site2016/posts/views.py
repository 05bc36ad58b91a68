from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.csrf import csrf_exempt

from .models import Blog, Post


def blog(request, slug):
    return render(request, 'blog.html', {'blog': get_object_or_404(Blog, slug=slug)})


@csrf_exempt
def post(request, slug):
    blog, _ = Blog.objects.get_or_create(slug=slug)
    Post.objects.create(blog=blog, body=request.POST['body'])
    return HttpResponse('ok')
