"""A Llama of random weights whose rows K-quants divide, as a folder of two shards."""

import json
import shutil

import hugging_face
import numpy as np
import safetensors.numpy


def make(folder):
    """Writes the folder; its configuration and weights."""
    data = hugging_face.ROOT / "llama"
    config = json.loads((data / "config.json").read_text())
    config |= {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4, "torch_dtype": "float16"}
    random = np.random.default_rng(4)
    weights = {
        name: (1 + noise if noise.ndim == 1 else noise).astype(np.float16)
        for name, shape in shapes(config).items()
        for noise in [random.standard_normal(shape) * 0.03]
    }
    folder.mkdir()
    for name in ["tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(data / name, folder)
    (folder / "config.json").write_text(json.dumps(config))
    names = sorted(weights)
    shards = [names[: len(names) // 2], names[len(names) // 2 :]]
    files = [f"model-0000{i + 1}-of-00002.safetensors" for i in range(2)]
    for file, some in zip(files, shards):
        safetensors.numpy.save_file({name: weights[name] for name in some}, folder / file)
    index = {"metadata": {}, "weight_map": {name: file for file, some in zip(files, shards) for name in some}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return config, weights


def shapes(config):
    return {name: tensor.shape for name, tensor in hugging_face.decoder_tensors(config, False).items()}


def stage(name, folder):
    """One of tests/data/hugging_face/ as a hub has it."""
    shutil.copytree(hugging_face.ROOT / name, folder)
    (folder / "expected.gguf").unlink()
    if (folder / "pooling.json").exists():
        (folder / "1_Pooling").mkdir()
        (folder / "pooling.json").rename(folder / "1_Pooling/config.json")
