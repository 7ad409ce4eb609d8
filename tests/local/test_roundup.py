"""A real tracker: its API as a program sees it, its page as a person does."""

from pathlib import Path

import httpx

from patchline.local.roundup import Login, RateLimit, Roundup


class TestRoundup:
    def test_issue_is_created_found_and_resolved(self, roundup: Roundup) -> None:
        with api(roundup) as client:
            fields = {"title": "KB5031 failed", "correlation_key": "acme/KB5031/1", "client": "Acme", "priority": "bug"}
            created = client.post("issue", json=fields)
            number = created.json()["data"]["id"]
            query = {"correlation_key:": "acme/KB5031/1", "@fields": "status,client", "@verbose": "2"}
            [found] = client.get("issue", params=query).json()["data"]["collection"]
            etag = client.get(f"issue/{number}").headers["etag"]
            change = {"@op": "replace", "status": "resolved"}

            stale = client.patch(f"issue/{number}", headers={"If-Match": '"stale"'}, json=change)
            changed = client.patch(f"issue/{number}", headers={"If-Match": etag}, json=change)

            assert created.status_code == 201
            assert (found["id"], found["client"], found["status"]["name"]) == (number, "Acme", "unread")
            assert (stale.status_code, changed.status_code) == (412, 200)
            assert client.get(f"issue/{number}?@verbose=2").json()["data"]["attributes"]["status"]["name"] == "resolved"

    def test_issues_and_their_etags_survive_a_restart(self, roundup: Roundup) -> None:
        with api(roundup) as client:
            number = client.post("issue", json={"title": "kept"}).json()["data"]["id"]
            before = client.get(f"issue/{number}")

            roundup.stop()
            roundup.start(print)

            after = client.get(f"issue/{number}")
            assert after.json() == before.json()
            assert after.headers["etag"] == before.headers["etag"]

    def test_a_one_time_url_creates_once(self, roundup: Roundup) -> None:
        with api(roundup) as client:
            url = client.post("issue/@poe", json={}).json()["data"]["link"]

            answers = [client.post(url, json={"title": "once"}).status_code for _ in range(2)]

            assert answers == [201, 400]

    def test_anyone_may_look_at_the_page(self, roundup: Roundup) -> None:
        with api(roundup) as client:
            issue = client.post("issue", json={"title": "seen by a person", "client": "Lakeside Dental"}).json()["data"]

        pages = [httpx.get(f"{roundup.url}{path}", trust_env=False) for path in ("", f"issue{issue['id']}")]

        assert [page.status_code for page in pages] == [200, 200]
        assert all("seen by a person" in page.text and "Lakeside Dental" in page.text for page in pages)

    def test_a_person_can_log_in(self, roundup: Roundup) -> None:
        login = roundup.admin_login
        form = {"__login_name": login.name, "__login_password": login.password, "@action": "Login"}
        headers = {"Referer": roundup.url}

        with httpx.Client(base_url=roundup.url, headers=headers, follow_redirects=True, trust_env=False) as client:
            page = client.post("", data=form).text

        assert "Logout" in page

    def test_a_wrong_password_is_refused(self, roundup: Roundup) -> None:
        wrong = Login("patchline", "wrong")

        answer = httpx.get(f"{roundup.url}rest/data/issue", auth=(wrong.name, wrong.password), trust_env=False)

        assert answer.status_code == 401

    def test_too_many_calls_get_429_and_when_to_come_back(self, home: Path) -> None:
        limited = Roundup(home / "limited", port=0, rate_limit=RateLimit(calls=3, interval_seconds=60))
        limited.start(print)
        try:
            with api(limited) as client:
                answers = [client.get("issue") for _ in range(5)]
        finally:
            limited.stop()

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert int(answers[-1].headers["retry-after"]) > 0


def api(roundup: Roundup) -> httpx.Client:
    login = roundup.api_login
    return httpx.Client(
        base_url=f"{roundup.url}rest/data/",
        auth=(login.name, login.password),
        headers={"X-Requested-With": "rest", "Origin": roundup.url.rstrip("/")},
        trust_env=False,
    )
