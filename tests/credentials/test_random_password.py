"""The password that nobody knows."""

from services.credentials.adapters.random_password import LENGTH, random_password


def test_each_is_another_and_satisfies_policies() -> None:
    drawn = [random_password().get_secret_value() for _ in range(200)]

    assert len(set(drawn)) == 200
    for each in drawn:
        assert len(each) == LENGTH
        assert each.isascii()
        assert any(char.islower() for char in each)
        assert any(char.isupper() for char in each)
        assert any(char.isdigit() for char in each)
        assert any(not char.isalnum() for char in each)
        assert not set(each) & set("\"'\\<>& ")


def test_it_is_not_shown() -> None:
    password = random_password()

    assert password.get_secret_value() not in repr(password) + str(password)
