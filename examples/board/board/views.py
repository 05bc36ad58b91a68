"""The pages of the board; they are ordinary Django views."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.db import DataError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST
from django.views.generic import DetailView

from .bindings import CardBinding
from .models import Board, Card


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Go to the first board."""
    return redirect(get_object_or_404(Board.objects.all()[:1]))


class BoardPage(LoginRequiredMixin, DetailView):
    """A board: the rest happens on its socket."""

    model = Board
    template_name = "board/board.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the other boards, the columns, and what the script needs to know."""
        boards = Board.objects.all()
        page = {
            "user": self.request.user.get_username(),
            "board": self.object.pk,
            "address": self.object.get_absolute_url(),
            "boards": [{"pk": board.pk, "title": board.title} for board in boards],
            "columns": Card.Column.values,
        }
        return super().get_context_data(boards=boards, columns=Card.Column.choices, page=page, **kwargs)


@login_required
def cards(request: HttpRequest, slug: str) -> HttpResponse:
    """Return all cards of a board, as the socket would send them."""
    board = get_object_or_404(Board, slug=slug)
    return JsonResponse({"cards": [CardBinding.describe(card) for card in board.cards.select_related("owner")]})


@login_required
@require_POST
def paste(request: HttpRequest, slug: str) -> HttpResponse:
    """Make a card of every line, or none at all: pages hear of them when the transaction is committed."""
    board = get_object_or_404(Board, slug=slug)
    lines = [line.strip() for line in request.POST.get("lines", "").splitlines() if line.strip()]
    try:
        with transaction.atomic():
            for line in lines:
                card = Card(board=board, text=line, owner=request.user)
                card.save()
                # Too late on purpose: what was saved so far is rolled back, and no page hears of it.
                card.full_clean()
    except (ValidationError, DataError):
        problem = f"No card was made: the line “{line[:20]}…” is longer than 200 characters."
        return JsonResponse({"problem": problem}, status=400)
    return JsonResponse({"made": len(lines)})
