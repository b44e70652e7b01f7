"""Unit vectors, batches that equal singles, and local folders of every family, made here with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.schema.errors import InputError, UsageError
from secondread.tools.retrieve.encoders.base import FAMILIES, Encoder, encoder, unit
from secondread.tools.retrieve.encoders.trunk import TrunkEncoder


def pictures(count: int = 3) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    shapes = [(60, 80), (96, 96), (120, 50), (64, 64)]
    return [rng.integers(0, 256, (*shapes[n % 4], 3), dtype=np.uint8) for n in range(count)]


def check(made: Encoder, things: list[Any]) -> None:
    """Unit length, float32, a batch equals its members, and the same again."""
    embed = made.embed_images if not isinstance(things[0], str) else made.embed_texts
    together = embed(things)
    assert together.dtype == np.float32 and together.shape == (len(things), made.card.dimension)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([embed([t]) for t in things])
    assert np.allclose(together, alone, atol=2e-5)
    assert np.array_equal(together, embed(things))
    assert embed([]).shape == (0, made.card.dimension)


@pytest.mark.parametrize("name", ["trunk", "pixels"])
def test_the_encoders_that_ship(name: str) -> None:
    check(encoder(name), pictures())


def test_the_embedded_encoder_sees_a_film_as_nearer_to_itself_than_to_noise() -> None:
    from secondread.evals.phantom import generate

    def film(seed: int) -> NDArray[np.uint8]:
        return np.repeat((generate(seed).grey * 255).astype(np.uint8)[..., None], 3, 2)

    a, b, noise = TrunkEncoder().embed_images([film(1), film(2), pictures(1)[0]])
    brighter = TrunkEncoder().embed_images([np.clip(film(1) * 0.8 + 20, 0, 255).astype(np.uint8)])[0]
    assert a @ brighter > a @ b > a @ noise


def test_an_encoder_of_images_takes_no_texts_and_an_unknown_one_is_named() -> None:
    with pytest.raises(UsageError, match="no texts"):
        encoder("pixels").embed_texts(["a"])
    with pytest.raises(UsageError, match="no encoder 'resnet'"):
        encoder("resnet")
    with pytest.raises(InputError, match="no folder"):
        encoder("clip:/nowhere/at/all")


def test_zeros_become_a_unit_vector_all_the_same() -> None:
    assert np.array_equal(unit(np.zeros((1, 3))), np.array([[1, 0, 0]], np.float32))


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the vocabulary of a small tokenizer."""
    folder = tmp_path_factory.mktemp("words")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "heart", "lung", "is", "wide", "clear", "##s"]
    (folder / "vocab.txt").write_text("\n".join(tokens))
    return folder


def _tokenizer(transformers: Any, words: Path, folder: Path) -> None:
    transformers.BertTokenizerFast(vocab=str(words / "vocab.txt")).save_pretrained(folder)


def _processor(transformers: Any, kind: str, folder: Path, side: int) -> None:
    size = {"shortest_edge": side} if kind in ("CLIP", "Bit") else {"height": side, "width": side}
    settings: dict[str, Any] = {"size": size, "do_resize": True}
    if kind in ("CLIP", "Bit"):
        settings["crop_size"] = {"height": side, "width": side}
    getattr(transformers, f"{kind}ImageProcessor")(**settings).save_pretrained(folder)


def _tower(transformers: Any, family: str, folder: Path, words: Path) -> None:
    """A tiny model of a family with random weights, in the layout that transformers writes."""
    import torch

    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    vision = {**small, "image_size": 32, "patch_size": 8}
    if family == "clip":
        text = {
            **small,
            "vocab_size": 12,
            "max_position_embeddings": 16,
            "eos_token_id": 3,
            "bos_token_id": 2,
            "pad_token_id": 0,
        }
        config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
        transformers.CLIPModel(config).save_pretrained(folder)
        _processor(transformers, "CLIP", folder, 32)
        _tokenizer(transformers, words, folder)
    elif family == "siglip":
        text = {**small, "vocab_size": 12, "max_position_embeddings": 16}
        config = transformers.SiglipConfig(text_config=text, vision_config=vision)
        transformers.SiglipModel(config).save_pretrained(folder)
        _processor(transformers, "Siglip", folder, 32)
        _tokenizer(transformers, words, folder)
    elif family == "dinov2":
        config = transformers.Dinov2Config(**{**vision, "patch_size": 8})
        transformers.Dinov2Model(config).save_pretrained(folder)
        _processor(transformers, "Bit", folder, 32)
    elif family == "mae":
        config = transformers.ViTMAEConfig(
            **vision, decoder_hidden_size=16, decoder_num_hidden_layers=1, decoder_num_attention_heads=2
        )
        transformers.ViTMAEModel(config).save_pretrained(folder)
        _processor(transformers, "ViT", folder, 32)
    elif family == "sentence":
        config = transformers.BertConfig(**small, vocab_size=12, max_position_embeddings=32)
        transformers.BertModel(config).save_pretrained(folder)
        _tokenizer(transformers, words, folder)


@pytest.mark.parametrize("family", ["clip", "siglip", "dinov2", "mae", "sentence"])
def test_local_folders_of_each_family_give_unit_vectors(family: str, tmp_path: Path, words: Path) -> None:
    transformers = pytest.importorskip("transformers")
    _tower(transformers, family, tmp_path, words)
    made = encoder(f"{family}:{tmp_path}")
    assert encoder(str(tmp_path)).card == made.card
    if "images" in made.card.takes:
        check(made, pictures())
    if "texts" in made.card.takes:
        check(made, ["the heart is wide", "the lungs", "clear"])


def test_sentences_are_pooled_as_their_folder_says_and_foreign_parts_are_refused(tmp_path: Path, words: Path) -> None:
    import json

    transformers = pytest.importorskip("transformers")
    inner = tmp_path / "0_Transformer"
    _tower(transformers, "sentence", inner, words)
    (tmp_path / "1_Pooling").mkdir()
    kinds = ["sentence_transformers.models.Transformer", "sentence_transformers.models.Pooling"]
    paths = ["0_Transformer", "1_Pooling"]
    modules = [{"type": k, "path": p} for k, p in zip(kinds, paths, strict=True)]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    first = encoder(str(tmp_path)).embed_texts(["the heart is wide"])
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    mean = encoder(str(tmp_path)).embed_texts(["the heart is wide"])
    assert not np.allclose(first, mean)
    (tmp_path / "modules.json").write_text(json.dumps([*modules, {"type": "x.Dense", "path": ""}]))
    with pytest.raises(InputError, match="'Dense'"):
        encoder(str(tmp_path))


def test_a_resnet_is_found_under_its_prefix_and_pickled_code_is_not_run(tmp_path: Path) -> None:
    torchvision = pytest.importorskip("torchvision")
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = {
        f"img_encoder_q.model.{k}": v.contiguous()
        for k, v in torchvision.models.resnet50(weights=None).state_dict().items()
    }
    save_file(state, tmp_path / "tower.safetensors")
    made = encoder(f"benchx:{tmp_path}")
    found = made.embed_images(pictures(2))
    assert found.shape == (2, 2048) and np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    bad = tmp_path / "bad"
    bad.mkdir()

    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (bad / "ran",))

    torch.save({"state_dict": Trap()}, bad / "a.pth")
    with pytest.raises(InputError, match="plain weights"):
        encoder(f"benchx:{bad}")
    assert not (bad / "ran").exists()


def test_folders_without_safe_weights_or_without_a_kind_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(InputError, match="no safetensors weights"):
        encoder(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(InputError, match="which kind of encoder"):
        encoder(str(tmp_path))
    assert set(FAMILIES) >= {"clip", "siglip", "dinov2", "dinov3", "mae", "benchx", "sentence"}
