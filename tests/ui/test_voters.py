"""A voter's cookie is recognized when this arena signed it, and never otherwise."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from arena.ui.voters import Voters, language_of_request

KEY = b"a key of at least sixteen bytes"


def cookie_of(header: str) -> str:
    """What a browser sends back for a Set-Cookie header."""
    return header.split(";")[0]


def test_a_browser_that_sends_its_cookie_back_is_the_same_voter() -> None:
    """Also beside other cookies, and for another process with the same key."""
    voters = Voters(KEY)
    cookie = cookie_of(voters.set_cookie(voters.new()))
    voter = voters.recognize(cookie)
    assert voter is not None
    assert Voters(KEY).recognize(f"other=1; {cookie}; theme=dark") == voter


def test_two_browsers_are_two_voters() -> None:
    """Codes are random."""
    voters = Voters(KEY)
    assert len({voters.recognize(cookie_of(voters.set_cookie(voters.new()))) for _ in range(50)}) == 50


def test_a_cookie_of_another_key_is_nobody() -> None:
    """Changing the secret makes everybody a new voter, whatever the cookie is called."""
    theirs = Voters(b"another key of enough bytes")
    value = cookie_of(theirs.set_cookie(theirs.new())).partition("=")[2]
    assert Voters(KEY).recognize(f"{Voters(KEY).cookie}={value}") is None


def test_arenas_on_two_ports_of_one_host_leave_each_others_voters_alone() -> None:
    """A browser keeps cookies by host: theirs have names of their own, those of one arena's processes the same."""
    ours, theirs = Voters(KEY), Voters(b"another key of enough bytes")
    both = "; ".join(cookie_of(one.set_cookie("code")) for one in (ours, theirs))
    assert ours.cookie == Voters(KEY).cookie != theirs.cookie
    assert ours.recognize(both) is not None
    assert theirs.recognize(both) is not None


def test_who_voted_when_all_arenas_called_the_cookie_alike_is_still_who_they_were() -> None:
    """Else nobody could have what they wrote erased by themselves; being forgotten ends the old cookie too."""
    voters = Voters(KEY)
    value = cookie_of(voters.set_cookie("code")).partition("=")[2]
    assert voters.recognize(f"arena_voter={value}") == voters.recognize(f"{voters.cookie}={value}") is not None
    newer = cookie_of(voters.set_cookie("newer"))
    assert voters.recognize(f"arena_voter={value}; {newer}") == voters.recognize(newer)
    assert {one.partition("=")[0] for one in voters.end_cookies()} == {"arena_voter", voters.cookie}


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_cookie_can_be_made_up(code: str, signature: str) -> None:
    """Whatever code and signature somebody writes."""
    voters = Voters(KEY)
    assert voters.recognize(f"{voters.cookie}={code}.{signature}") is None


def test_a_signature_that_lacks_or_changes_one_character_is_none() -> None:
    """Every place of code and signature counts."""
    voters = Voters(KEY)
    cookie = cookie_of(voters.set_cookie("code"))
    for place in range(len(voters.cookie) + 1, len(cookie)):
        other = "0" if cookie[place] != "0" else "1"
        assert voters.recognize(cookie[:place] + other + cookie[place + 1 :]) is None
    assert voters.recognize(cookie[:-1]) is None
    assert voters.recognize(None) is None
    assert voters.recognize(f"{voters.cookie}=") is None


def test_the_pseudonym_gives_the_cookie_away_to_nobody() -> None:
    """What is stored and exported holds neither code nor signature."""
    voters = Voters(KEY)
    cookie = cookie_of(voters.set_cookie("secret-code"))
    voter = voters.recognize(cookie)
    assert voter is not None
    assert voter not in cookie
    assert "secret-code" not in voter


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites() -> None:
    """Lax on an own server; partitioned, secure and sent along inside a Space's frame."""
    own, framed = Voters(KEY).set_cookie("x"), Voters(KEY, in_frame=True).set_cookie("x")
    assert "HttpOnly" in own
    assert "SameSite=Lax" in own
    assert "HttpOnly" in framed
    assert "SameSite=None; Secure; Partitioned" in framed


def test_arenas_under_two_paths_of_one_host_do_not_take_each_others_voters() -> None:
    """A cookie belongs to its arena's path; whoever is forgotten loses an older one for the whole host as well."""
    voters = Voters(KEY, path="/arena/")
    assert "; Path=/arena; " in voters.set_cookie("x")
    assert [cookie.split("; ")[1] for cookie in voters.end_cookies()] == ["Path=/arena", "Path=/"] * 2
    assert [cookie.split("; ")[1] for cookie in Voters(KEY).end_cookies()] == ["Path=/"] * 2


def test_the_language_is_the_switch_then_the_operators_then_the_browsers() -> None:
    """Russian where nothing is known."""
    assert language_of_request({"cookie": "arena_language=en", "accept-language": "ru-RU"}, "ru") == "en"
    assert language_of_request({"cookie": "arena_language=xx", "accept-language": "ru-RU"}, "en") == "en"
    assert language_of_request({"accept-language": "en-US,en;q=0.9,ru;q=0.8"}) == "en"
    assert language_of_request({"accept-language": "uk-UA,uk;q=0.9"}) == "ru"
    assert language_of_request({"accept-language": "de-DE"}) == "en"
    assert language_of_request({}) == "ru"
