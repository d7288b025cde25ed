from pathlib import Path

import pytest

from models.data.settings import DataSettings
from models.data.sources import DataError
from models.data.text.splits import TextSource
from models.data.text.targets import read_targets
from tests.support.text_folders import WriteText


def read(targets: dict[str, str]) -> TextSource:
    return read_targets(DataSettings(targets=targets))


def test_a_target_is_the_first_text_of_a_pair(tmp_path: Path, write_text: WriteText) -> None:
    folders = {
        target: str(write_text(tmp_path / target, "classification")) for target in ("sun", "rain")
    }
    source = read(folders)
    assert source.name == "rain+sun"
    assert source.splits["train"].texts[0] == ("rain", "good train")
    assert source.splits["train"].texts[4] == ("sun", "good train")
    assert source.splits["train"].labels == (0, 1, 0, 1) * 2
    assert read(dict(reversed(folders.items()))) == source


def test_targets_that_do_not_go_together_are_refused(tmp_path: Path, write_text: WriteText) -> None:
    names = {"label_names": '["no", "yes"]'}
    one = str(write_text(tmp_path / "one", "classification"))
    two = str(write_text(tmp_path / "two", "classification", metadata=names))
    pair = str(
        write_text(tmp_path / "three", "classification", columns={"text_pair": list("abcd")})
    )
    with pytest.raises(DataError, match=r"'rain' .*\['no', 'yes'\] are not those of 'fog'"):
        read({"rain": two, "fog": one})
    with pytest.raises(DataError, match="three: has pairs already"):
        read({"rain": pair})
    with pytest.raises(DataError, match="empty target"):
        read({" ": one})
    for wrong in ({}, [one], one):
        with pytest.raises(DataError, match="give a mapping from targets to folders"):
            read(wrong)  # type: ignore[arg-type]
