"""The example board in real browsers: what one user does, what the other sees, and what nobody may do or see."""

from collections.abc import Iterator

import pytest

from tests.support.board import BoardPage, BoardSite
from tests.support.chat import running
from tests.support.processes import stop
from tests.support.visitors import two_visitors

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoardSite]:
    """A board in one process, with the in-memory layer."""
    with running(tmp_path_factory.mktemp("board"), kind=BoardSite) as site:
        assert isinstance(site, BoardSite)
        yield site
    assert "Traceback" not in site.processes.log(), site.processes.log()


@pytest.fixture(scope="module")
def pages(site: BoardSite) -> Iterator[tuple[BoardPage, BoardPage]]:
    """Two users in two browsers."""
    with two_visitors(BoardPage, site) as pair:
        yield pair


@pytest.fixture
def anna(site: BoardSite, pages: tuple[BoardPage, BoardPage]) -> BoardPage:
    """A user on an empty board."""
    site.execute("DELETE FROM board_card")
    pages[0].open("garden")
    return pages[0]


@pytest.fixture
def ben(pages: tuple[BoardPage, BoardPage], anna: BoardPage) -> BoardPage:
    """Another user on the same board."""
    pages[1].open("garden")
    return pages[1]


def test_card_appears_changes_and_goes_on_both_pages(anna: BoardPage, ben: BoardPage) -> None:
    """Written, edited, moved through the columns, deleted."""
    anna.add("Water the roses")
    ben.see(todo=["Water the roses"])
    anna.edit("Water the roses", "Water the tulips")
    ben.see(todo=["Water the tulips"])
    anna.press("Water the tulips", "on")
    ben.see(doing=["Water the tulips"])
    anna.press("Water the tulips", "on")
    ben.see(done=["Water the tulips"])
    anna.press("Water the tulips", "delete")
    ben.see()
    anna.see()


def test_users_see_each_others_cards(anna: BoardPage, ben: BoardPage) -> None:
    """And can change their own only: the others have no tools."""
    anna.add("Sow beans")
    ben.see(todo=["Sow beans"])
    ben.add("Mow the lawn")
    for page in (anna, ben):
        page.see(todo=["Sow beans", "Mow the lawn"])
    ben.press("Mow the lawn", "on")
    anna.see(todo=["Sow beans"], doing=["Mow the lawn"])
    owners = anna.js("return [...document.querySelectorAll('.card:has(.tools) .owner')].map((e) => e.textContent)")
    anna.screenshot("two-users")
    assert owners == ["anna"]


def test_card_that_changes_boards_goes_here_and_comes_there(anna: BoardPage, ben: BoardPage) -> None:
    """A delete for one group, a create for the other; and back."""
    ben.open("kitchen")
    anna.add("Bake bread")
    anna.add("Plant a tree")
    anna.see(todo=["Bake bread", "Plant a tree"])
    anna.move("Bake bread", "Kitchen")
    ben.see(todo=["Bake bread"])
    anna.see(todo=["Plant a tree"])
    anna.open("kitchen")
    ben.open("garden")
    anna.move("Bake bread", "Garden")
    ben.see(todo=["Bake bread", "Plant a tree"])
    anna.see()


def test_rolled_back_transaction_shows_nothing(anna: BoardPage, ben: BoardPage) -> None:
    """The first line is saved before the second is refused; pages see neither, now or later."""
    ben.js("window.heard = []; bridge.socket.addEventListener('message', (event) => heard.push(event.data))")
    anna.paste("Saved and taken back", "x" * 201)
    anna.see_problem("No card was made")
    anna.paste("One", "Two")
    ben.see(todo=["One", "Two"])
    anna.see(todo=["One", "Two"])
    heard = ben.js("return heard")
    assert len(heard) == 2
    assert "taken back" not in str(heard)


@pytest.mark.parametrize(
    ("action", "data"),
    [("update", {"text": "Mine now"}), ("update", {"board": 2}), ("delete", None)],
)
def test_forged_change_is_refused_in_words(
    anna: BoardPage, ben: BoardPage, action: str, data: dict[str, object] | None
) -> None:
    """Somebody else's card stays as it is, on every page, and the forger reads why."""
    anna.add("Hands off")
    ben.see(todo=["Hands off"])
    ben.forge(action=action, pk=ben.key_of("Hands off"), data=data)
    ben.see_problem("You may not do this.")
    if action == "delete":
        ben.screenshot("refused")
    anna.add("Still here")
    ben.see(todo=["Hands off", "Still here"])


def test_forged_owner_is_not_taken(anna: BoardPage, ben: BoardPage) -> None:
    """A new card belongs to who sends it."""
    anna.forge(action="create", data={"board": 1, "text": "By whom?", "owner": 2, "id": 1000})
    ben.see(todo=["By whom?"])
    assert ben.js("return document.querySelector('.card .owner').textContent") == "anna"
    assert ben.key_of("By whom?") != 1000


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"action": "create", "data": {"board": 1, "text": "x" * 201}}, "at most 200 characters"),
        ({"action": "create", "data": {"board": 99, "text": "Nowhere"}}, "board instance with id 99"),
        ({"action": "fly", "pk": 1}, "You may not do this."),
    ],
)
def test_change_that_makes_no_sense_is_refused_in_words(
    anna: BoardPage, payload: dict[str, object], words: str
) -> None:
    """The model's own validation answers, and nothing appears."""
    anna.forge(**payload)
    anna.see_problem(words)
    anna.see()


def test_markup_on_a_card_is_text(anna: BoardPage, ben: BoardPage) -> None:
    """Nobody can run a script in somebody else's page."""
    attack = "<img src=x onerror=document.title='gone'>"
    ben.add(attack)
    anna.see(todo=[attack])
    assert "gone" not in anna.chrome.title


def test_page_outlives_a_restart_of_the_server(anna: BoardPage, ben: BoardPage, site: BoardSite) -> None:
    """What was done meanwhile is done once, and what was missed is loaded."""
    anna.add("Before")
    ben.see(todo=["Before"])
    stop(site.processes.running[-1])
    anna.wait_for_state("lost")
    anna.add("Meanwhile")
    site.execute("UPDATE board_card SET text = 'Changed in the database'")
    site.start_server()
    for page in (anna, ben):
        page.see(todo=["Changed in the database", "Meanwhile"])


def test_narrow_page_fits_its_window(anna: BoardPage) -> None:
    """Nothing is wider than a telephone."""
    anna.add("A rather long card that has to be broken into several lines on a narrow screen")
    anna.card("A rather long card")
    size = anna.chrome.get_window_size()
    anna.chrome.set_window_size(500, 860)
    width = anna.js("return [document.documentElement.scrollWidth, innerWidth]")
    anna.screenshot("narrow")
    anna.chrome.set_window_size(size["width"], size["height"])
    assert width[0] <= width[1]


def test_page_logs_no_error(anna: BoardPage, ben: BoardPage) -> None:
    """Nothing in the console of a page that was only used; every control has a name."""
    for page in (anna, ben):
        page.chrome.get_log("browser")
    anna.add("Quiet")
    ben.see(todo=["Quiet"])
    script = """return [...document.querySelectorAll('button, a, input:not([type=hidden]), textarea, select')]
        .filter(e => !(e.textContent.trim() || e.labels?.length)).map(e => e.outerHTML)"""
    assert anna.js(script) == []
    logged = [entry for page in (anna, ben) for entry in page.chrome.get_log("browser")]
    assert [entry for entry in logged if entry["level"] == "SEVERE"] == []
