import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.networks.base_model import locate_base
from tests.support.tiny_models import tiny_bert, wordpiece


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return tiny_bert(tmp_path / "bert", wordpiece(["a few words", "and some more"]))


def change(path: Path, **values: object) -> None:
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(content | values))


def test_a_folder_is_named_by_its_last_part_and_its_content(bert: Path) -> None:
    base = locate_base(str(bert))
    assert (base.name, base.folder, base.model_type) == ("bert", bert, "bert")
    assert base.architecture == "BertModel"
    assert len(base.digest) == 12 and int(base.digest, 16) >= 0


def test_the_digest_follows_weights_configuration_and_tokenizer_and_nothing_else(
    bert: Path, tmp_path: Path
) -> None:
    first = locate_base(str(bert)).digest
    (bert / "README.md").write_text("about")
    bert.rename(tmp_path / "moved")
    moved = tmp_path / "moved"
    assert locate_base(str(moved)).digest == first
    seen = {first}
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        content = (moved / name).read_bytes()
        # One digit of the configuration's or a weight's last byte.
        changed = content.replace(b"64", b"63") if name == "config.json" else content[:-1] + b"\n"
        (moved / name).write_bytes(changed)
        seen.add(locate_base(str(moved)).digest)
        (moved / name).write_bytes(content)
    assert len(seen) == 4


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no folder .*give the folder"):
        locate_base(str(tmp_path / "nothing"))


def test_a_folder_without_configuration_is_refused(bert: Path) -> None:
    (bert / "config.json").unlink()
    with pytest.raises(ValueError, match=r"no config\.json"):
        locate_base(str(bert))


def test_a_folder_without_weights_is_refused(bert: Path) -> None:
    (bert / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"no model\.safetensors"):
        locate_base(str(bert))


def test_pickled_weights_are_refused_with_a_way_to_convert_them(bert: Path) -> None:
    (bert / "model.safetensors").rename(bert / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"only pytorch_model\.bin: pickle weights are never"):
        locate_base(str(bert))


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_that_comes_with_a_model_is_refused(bert: Path, name: str) -> None:
    change(bert / name, auto_map={"AutoModel": "modeling_mine.Mine"})
    with pytest.raises(ValueError, match=f"{name}: auto_map asks to run code"):
        locate_base(str(bert))


def test_quantised_weights_are_refused(bert: Path) -> None:
    change(bert / "config.json", quantization_config={"bits": 4})
    with pytest.raises(ValueError, match="quantised"):
        locate_base(str(bert))


def test_an_adapter_in_place_of_a_model_is_refused(bert: Path) -> None:
    change(bert / "adapter_config.json", base_model_name_or_path="somewhere/else")
    with pytest.raises(ValueError, match="holds an adapter"):
        locate_base(str(bert))


def test_an_unreadable_configuration_is_refused(bert: Path) -> None:
    (bert / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json: not readable as JSON"):
        locate_base(str(bert))


def test_shards_must_all_be_there(bert: Path) -> None:
    (bert / "model.safetensors").rename(bert / "model-1.safetensors")
    shards = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    change(bert / "model.safetensors.index.json", weight_map=shards)
    with pytest.raises(ValueError, match=r"1 of 2 shards are missing, the first model-2"):
        locate_base(str(bert))
    (bert / "model-2.safetensors").write_bytes(b"")
    assert locate_base(str(bert)).model_type == "bert"


@pytest.mark.parametrize("index", [{}, {"weight_map": ["a"]}, {"weight_map": {}}])
def test_an_index_that_names_no_shards_is_refused(bert: Path, index: dict) -> None:
    (bert / "model.safetensors").unlink()
    change(bert / "model.safetensors.index.json", **index)
    with pytest.raises(ValueError, match=r"index\.json: no weight_map; fix"):
        locate_base(str(bert))


def test_shards_outside_of_the_folder_are_refused(bert: Path) -> None:
    (bert / "model.safetensors").rename(bert.parent / "elsewhere.safetensors")
    change(bert / "model.safetensors.index.json", weight_map={"a": "../elsewhere.safetensors"})
    with pytest.raises(ValueError, match="outside the folder"):
        locate_base(str(bert))


def test_a_package_is_found_without_being_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "holds_a_model"
    tiny_bert(package / "inner" / "model")
    for folder in (package, package / "inner"):
        (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    base = locate_base("package:holds_a_model.inner")
    assert base.name == "package:holds_a_model.inner"
    assert base.folder == package / "inner" / "model"
    with pytest.raises(ValueError, match="no folder"):
        locate_base("package:holds_a_model")


@pytest.mark.parametrize("module", ["no_such_package_at_all", "../up", ""])
def test_a_package_that_is_not_installed_is_refused(module: str) -> None:
    with pytest.raises(ValueError, match="package:"):
        locate_base(f"package:{module}")


def test_a_hub_download_takes_no_pickles_and_no_code(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}

    def download(name: str, **settings: object) -> str:
        asked.update(settings, name=name)
        return str(bert)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert locate_base("hub:someone/model@v2").name == "hub:someone/model@v2"
    assert (asked["name"], asked["revision"]) == ("someone/model", "v2")
    assert asked["allow_patterns"] == ["*.safetensors", "*.json", "*.txt", "*.model"]


def test_a_hub_name_that_cannot_be_downloaded_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="hub:no-such/model cannot be downloaded"):
        locate_base("hub:no-such/model")
    with pytest.raises(ValueError, match="cannot be downloaded"):
        locate_base("hub:a name no repository has")


@pytest.mark.slow
def test_locating_and_checking_a_base_imports_no_torch() -> None:
    code = (
        "import sys, models.networks.base_model, models.adaptation, models.networks.architectures;"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
