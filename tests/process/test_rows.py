"""`models.<name>.<verb>`: rows of the models that the settings name."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import ImproperlyConfigured

from demo_project.accounts.models import WelcomeMail
from tests.conftest import Site
from yao_tasks import Process, checks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def models(site: Site, settings: Any) -> None:
    settings.YAO_TASKS = {
        **settings.YAO_TASKS,
        "MODELS": {"user": "auth.User", "mail": "accounts.WelcomeMail", "gone": "auth.Usr"},
    }


@pytest.fixture
def ada() -> Any:
    return Process("models.user.create", {"username": "ada"})


def test_save_makes_a_row_and_then_changes_what_it_is_given() -> None:
    first = Process("models.user.save", {"id": 17, "username": "ada", "email": "ada@example.org"})
    second = Process("models.user.Save", {"id": 17, "first_name": "Ada"})

    assert (first, second) == (17, 17)
    user = User.objects.get()
    assert (user.pk, user.username, user.email, user.first_name) == (17, "ada", "ada@example.org", "Ada")


def test_save_without_an_id_makes_a_row_and_answers_its_id() -> None:
    key = Process("models.user.save", {"username": "ada"})
    other = Process("models.user.save", {"id": None, "username": "eva"})

    assert {key: "ada", other: "eva"} == {user.pk: user.username for user in User.objects.all()}


def test_texts_of_moments_are_moments_and_other_rows_are_named_by_their_id(ada: int) -> None:
    key = Process("models.mail.save", {"user": ada, "sent_at": "2026-01-02T03:04:05.678Z", "error": ""})

    row = Process("models.mail.find", key)

    assert row["sent_at"] == datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
    assert (row["id"], row["user_id"], row["status"], row["error"]) == (key, ada, "WAITING", "")


def test_list_has_filters_and_a_limit() -> None:
    keys = [Process("models.user.create", {"username": f"u{n}", "is_staff": n > 2}) for n in range(6)]

    def found(filters: dict[str, Any], verb: str = "list") -> list[int]:
        return [row["id"] for row in Process(f"models.user.{verb}", filters)]

    assert found({}) == found({}, "get") == [row["id"] for row in Process("models.user.list")] == keys
    assert found({"is_staff": True, "limit": 2}) == keys[3:5]
    assert found({"username": ["u1", "u4", "u9"]}) == [keys[1], keys[4]]
    Process("models.user.update", keys[0], {"last_login": "2026-01-02T03:04:05Z"})
    assert found({"last_login": None, "limit": 1}) == keys[1:2]
    assert found({"last_login": "2026-01-02T03:04:05Z"}) == keys[:1]
    assert found({"limit": 0}) == []


def test_update_and_delete_are_of_one_row(ada: int) -> None:
    other = Process("models.user.create", {"username": "eva"})

    assert Process("models.user.update", ada, {"first_name": "Ada"}) is None
    assert Process("models.user.delete", other) is None

    (user,) = User.objects.all()
    assert (user.pk, user.first_name) == (ada, "Ada")


def test_only_models_that_are_named_are_reachable() -> None:
    Group.objects.create(name="all")

    for name in ("models.group.list", "models.auth.Group.list", "models.auth.group.delete"):
        with pytest.raises(LookupError, match="no model is named"):
            Process(name)


@pytest.mark.parametrize(
    ("name", "args", "kind", "said"),
    [
        ("models.usr.list", (), LookupError, 'Did you mean "user"?'),
        ("models.user", (), LookupError, "has no verb"),
        ("models.user.destroy", (17,), LookupError, "Known are save, create, find"),
        ("models.user.find", (), TypeError, "no arguments. Its arguments are: the row's id."),
        ("models.user.find", (17, 18), TypeError, "2 arguments"),
        ("models.user.update", (17,), TypeError, "what is to change, as a dict"),
        ("models.user.find", (17,), LookupError, "no row of auth.User has the id 17"),
        ("models.user.find", (-1,), LookupError, "the id -1"),
        ("models.user.find", (None,), LookupError, "the id null"),
        ("models.user.find", (1.5,), ValueError, '"id" is 1.5. Give a whole number.'),
        ("models.user.find", (True,), ValueError, '"id" is true. Give a whole number.'),
        ("models.user.find", ("x",), ValueError, '"id" is "x".'),
        ("models.user.delete", ([1, 2],), ValueError, '"id" is [1, 2].'),
        ("models.user.update", (17, {"first_name": "Ada"}), LookupError, "the id 17"),
        ("models.user.update", (17, {"id": 18}), ValueError, "an id stays what it is"),
        ("models.user.save", ("ada",), TypeError, '"ada" is no dict'),
        ("models.user.save", ({"usrname": "ada"},), LookupError, 'Did you mean "username"?'),
        ("models.user.save", ({"username": "a" * 151},), ValueError, "at most 150 characters"),
        ("models.user.save", ({"username": None},), ValueError, "cannot be null"),
        ("models.user.save", ({"last_login": "yesterday"},), ValueError, '"last_login" is "yesterday".'),
        ("models.user.list", ("all",), TypeError, "is no dict"),
        ("models.user.list", ([("username", "ada")],), TypeError, "is no dict"),
        ("models.user.list", ({"password__startswith": "a"},), LookupError, "has no field"),
        ("models.user.list", ({7: 7},), LookupError, "has no field 7"),
        ("models.user.list", ({"limit": "5"},), ValueError, '"limit" is "5"'),
        ("models.user.list", ({"limit": -1},), ValueError, '"limit" is -1'),
        ("models.gone.list", (), ImproperlyConfigured, 'says that "gone" is "auth.Usr"'),
    ],
)
def test_what_can_not_be_done_is_told_in_a_sentence(
    name: str, args: tuple[Any, ...], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind) as error:
        Process(name, *args)

    assert said in str(error.value)
    assert not User.objects.exists()


def test_a_model_that_is_none_is_a_fault_of_the_settings() -> None:
    (message,) = checks.check_settings()

    assert message.id == "yao_tasks.E005"
    assert '"gone" is "auth.Usr"' in message.msg
    assert message.hint == 'Did you mean "auth.User"?'


def test_a_row_with_a_moment_of_its_own_keeps_that_up(ada: int) -> None:
    field: Any = WelcomeMail._meta.get_field("created_at")
    key = Process("models.mail.save", {"user_id": ada})
    before = Process("models.mail.find", key)["created_at"]
    field.auto_now, field.auto_now_add = True, False
    try:
        Process("models.mail.update", key, {"error": "none"})
    finally:
        field.auto_now, field.auto_now_add = False, True

    assert Process("models.mail.find", key)["created_at"] > before
