# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of public repositories, to count how much of such is held.

The first five listings are quoted in public documents as the Hub gave them (openai-community/gpt2 to Kokoro-82M, two of
them as far as they are quoted). The others are written down from memory of public pages, with one of several numbered
parts; nobody asked the Hub. What counts are kinds of files, not how many there are of each.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import harmless
from .kinds import PICKLE

_COMMON = ".gitattributes README.md config.json"
_TOKENIZER = "tokenizer.json tokenizer_config.json special_tokens_map.json"
_DIFFUSERS = (
    ".gitattributes README.md model_index.json scheduler/scheduler_config.json text_encoder/config.json"
    " text_encoder/model.safetensors tokenizer/merges.txt tokenizer/special_tokens_map.json"
    " tokenizer/tokenizer_config.json tokenizer/vocab.json unet/config.json vae/config.json"
    " unet/diffusion_pytorch_model.safetensors vae/diffusion_pytorch_model.safetensors"
)
REPOSITORIES = {
    "openai-community/gpt2": f"{_COMMON} 64-8bits.tflite 64-fp16.tflite 64.tflite flax_model.msgpack"
    " generation_config.json merges.txt model.safetensors onnx/config.json onnx/decoder_model.onnx"
    " onnx/decoder_model_merged.onnx onnx/decoder_with_past_model.onnx onnx/generation_config.json onnx/merges.txt"
    " onnx/special_tokens_map.json onnx/tokenizer.json onnx/tokenizer_config.json onnx/vocab.json pytorch_model.bin"
    " rust_model.ot tf_model.h5 tokenizer.json tokenizer_config.json vocab.json",
    "Jiva/xlm-roberta-large-it-mnli": f"{_COMMON} {_TOKENIZER} pytorch_model.bin sentencepiece.bpe.model",
    "09panesara/distilbert-base-uncased-finetuned-cola": f"{_COMMON} {_TOKENIZER} .gitignore pytorch_model.bin"
    " training_args.bin vocab.txt runs/Dec21/events.out.tfevents.1640094759.bc62d5d57d92.77.0"
    " runs/Dec21/events.out.tfevents.1640095117.bc62d5d57d92.77.2"
    " runs/Dec21/1640094759.4067502/events.out.tfevents.1640094759.bc62d5d57d92.77.1",
    "dataset commul/universal_dependencies": ".gitattributes .gitignore ADDING_NEW_UD_VERSION.md CHANGELOG.md README.md"
    " MIGRATION.md RELEASE.md metadata.json parquet/ab_abnc/test.parquet parquet/af_afribooms/train.parquet",
    "hexgrad/Kokoro-82M": f"{_COMMON} demo/HEARME.txt demo/HEARME.wav demo/TTS-Spaces-Arena-25-Dec-2024.png"
    " demo/af_sky.txt demo/af_sky.wav demo/restoring-sky.md fp16/halve.py fp16/kokoro-v0_19-half.pth istftnet.py"
    " kokoro-v0_19.onnx",
    "google-bert/bert-base-uncased": f"{_COMMON} LICENSE coreml/fill-mask/float32_model.mlpackage/Manifest.json"
    " coreml/fill-mask/float32_model.mlpackage/Data/com.apple.CoreML/model.mlmodel"
    " coreml/fill-mask/float32_model.mlpackage/Data/com.apple.CoreML/weights/weight.bin"
    " flax_model.msgpack model.onnx model.safetensors pytorch_model.bin rust_model.ot tf_model.h5 tokenizer.json"
    " tokenizer_config.json vocab.txt",
    "sentence-transformers/all-MiniLM-L6-v2": f"{_COMMON} {_TOKENIZER} 1_Pooling/config.json data_config.json"
    " config_sentence_transformers.json model.safetensors modules.json onnx/model.onnx onnx/model_O1.onnx"
    " openvino/openvino_model.bin openvino/openvino_model.xml pytorch_model.bin rust_model.ot"
    " sentence_bert_config.json tf_model.h5 train_script.py vocab.txt",
    "Qwen/Qwen2.5-7B-Instruct": f"{_COMMON} LICENSE generation_config.json merges.txt model.safetensors.index.json"
    " model-00001-of-00004.safetensors tokenizer.json tokenizer_config.json vocab.json",
    "meta-llama/Llama-3.1-8B-Instruct": f"{_COMMON} {_TOKENIZER} LICENSE USE_POLICY.md generation_config.json"
    " model-00001-of-00004.safetensors model.safetensors.index.json original/consolidated.00.pth original/params.json"
    " original/tokenizer.model",
    "mistralai/Mistral-7B-Instruct-v0.3": f"{_COMMON} {_TOKENIZER} consolidated.safetensors generation_config.json"
    " model-00001-of-00003.safetensors model.safetensors.index.json params.json tokenizer.model tokenizer.model.v3",
    "deepseek-ai/DeepSeek-R1": f"{_COMMON} LICENSE configuration_deepseek.py figures/benchmark.jpg"
    " generation_config.json model-00001-of-000163.safetensors model.safetensors.index.json modeling_deepseek.py"
    " tokenizer.json tokenizer_config.json",
    "zai-org/chatglm3-6b": f"{_COMMON} MODEL_LICENSE configuration_chatglm.py model-00001-of-00007.safetensors"
    " model.safetensors.index.json modeling_chatglm.py pytorch_model-00001-of-00007.bin pytorch_model.bin.index.json"
    " quantization.py special_tokens_map.json tokenization_chatglm.py tokenizer.model tokenizer_config.json",
    "Qwen/Qwen3-8B-GGUF": ".gitattributes LICENSE README.md Qwen3-8B-Q4_K_M.gguf Qwen3-8B-Q8_0.gguf params",
    "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF": ".gitattributes README.md Meta-Llama-3.1-8B-Instruct.imatrix"
    " Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf",
    "openai/whisper-large-v3": f"{_COMMON} {_TOKENIZER} added_tokens.json flax_model.msgpack generation_config.json"
    " merges.txt model.fp32-00001-of-00002.safetensors model.safetensors normalizer.json preprocessor_config.json"
    " pytorch_model.bin vocab.json",
    "Systran/faster-whisper-large-v3": f"{_COMMON} model.bin preprocessor_config.json tokenizer.json vocabulary.json",
    "ggerganov/whisper.cpp": ".gitattributes README.md ggml-base.bin ggml-large-v3-turbo-q5_0.bin",
    "stabilityai/stable-diffusion-xl-base-1.0": f"{_DIFFUSERS} LICENSE.md 01.png comparison.png pipeline.png"
    " sd_xl_base_1.0.safetensors unet/model.onnx unet/model.onnx_data vae_decoder/model.onnx"
    " text_encoder/flax_model.msgpack text_encoder/openvino_model.bin text_encoder/openvino_model.xml",
    "stable-diffusion-v1-5/stable-diffusion-v1-5": f"{_DIFFUSERS} feature_extractor/preprocessor_config.json"
    " safety_checker/config.json safety_checker/model.safetensors safety_checker/pytorch_model.bin"
    " text_encoder/pytorch_model.bin unet/diffusion_pytorch_model.bin v1-5-pruned-emaonly.ckpt"
    " v1-5-pruned-emaonly.safetensors v1-inference.yaml",
    "black-forest-labs/FLUX.1-dev": f"{_DIFFUSERS} LICENSE.md ae.safetensors dev_grid.jpg flux1-dev.safetensors"
    " tokenizer_2/spiece.model",
    "latent-consistency/lcm-lora-sdxl": ".gitattributes README.md pytorch_lora_weights.safetensors lcm_lora.png",
    "facefusion/models-3.3.0": ".gitattributes README.md nsfw_1.onnx nsfw_1.hash nsfw_2.onnx nsfw_2.hash",
    "Xenova/all-MiniLM-L6-v2": f"{_COMMON} {_TOKENIZER} onnx/model.onnx onnx/model_quantized.onnx"
    " quantize_config.json vocab.txt",
    "pyannote/segmentation-3.0": ".gitattributes LICENSE README.md config.yaml example.png pytorch_model.bin",
    "timm/resnet50.a1_in1k": f"{_COMMON} model.safetensors pytorch_model.bin",
    "dataset stanfordnlp/imdb": ".gitattributes README.md plain_text/train-00000-of-00001.parquet",
    "dataset rajpurkar/squad": ".gitattributes README.md plain_text/validation-00000-of-00001.parquet",
    "dataset openai/gsm8k": ".gitattributes README.md main/train-00000-of-00001.parquet",
    "dataset Anthropic/hh-rlhf": ".gitattributes README.md harmless-base/train.jsonl.gz helpful-base/test.jsonl.gz",
    "dataset TIGER-Lab/MMLU-Pro": ".gitattributes README.md data/test-00000-of-00001.parquet run_gpt4o.py",
}

#: What is no pickle although it is named as PyTorch names its own, and other numbers without a head.
_RAW = (
    "weight.bin", "openvino_model.bin", "faster-whisper-large-v3/model.bin", "ggml-base.bin", "q5_0.bin", ".mlmodel",
    ".imatrix",
)  # fmt: skip
_BY_SUFFIX = {
    **dict.fromkeys(("bin", "pt", "pth", "ckpt", "ot", "pkl"), PICKLE),
    **dict.fromkeys(("jpg", "png"), harmless.PNG),
    "safetensors": harmless.safetensors("x", 10),
    "onnx": harmless.onnx(),
    "gguf": harmless.gguf(),
    "tflite": harmless.TFLITE,
    "msgpack": harmless.msgpack(),
    "h5": harmless.hdf5(),
    "parquet": harmless.parquet(),
    "wav": harmless.riff(b"WAVE"),
    "model": harmless.sentencepiece(),
    "v3": harmless.sentencepiece(),
    "gz": harmless.GZIP,
}


def contents_of(repository: str) -> dict[str, bytes]:
    """Return the files of a repository, each with a small content of its kind."""
    return small_contents(repository, REPOSITORIES[repository].split())


def small_contents(repository: str, paths: Iterable[str]) -> dict[str, bytes]:
    """Return a small content for each path, of the kind that it has in a repository."""
    paths = sorted(paths)
    return {path: _content(f"{repository}/{path}", paths) for path in paths}


def _content(path: str, paths: list[str]) -> bytes:
    if "tfevents" in path:
        return harmless.tfrecord()
    if path.endswith("v1-inference.yaml"):
        return b"model:\n  target: ldm.models.diffusion.ddpm.LatentDiffusion\n"
    if path.endswith((*_RAW, ".onnx_data")):
        return bytes(range(255, 100, -1)) * 4
    if path.endswith(".onnx") and f"{path.partition('/')[2].partition('/')[2]}_data" in paths:
        return harmless.onnx(path.rpartition("/")[2] + "_data")
    return _BY_SUFFIX.get(path.rpartition(".")[2], b"text\n")
