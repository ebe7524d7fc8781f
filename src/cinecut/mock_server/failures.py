"""Keeps llama-server's own last words, by the reason for which it gives up while starting."""

from __future__ import annotations

from typing import Final

LOADER_EXIT_CODE: Final = 127
"""What Linux exits with for a program whose libraries are missing."""

_MODEL: Final = (
    "llama_model_load_from_file_impl: failed to load model\n"
    "srv    load_model: failed to load model\n"
    "srv    operator(): operator(): cleaning up before exit...\n"
    "srv  llama_server: exiting due to model loading error"
)

FAILURES: Final = {
    "oom": (
        "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 3820.94 MiB on device 0: "
        "cudaMalloc failed: out of memory\n"
        "alloc_tensor_range: failed to allocate CUDA0 buffer of size 4006548992\n"
        f"llama_model_load: error loading model: unable to allocate CUDA0 buffer\n{_MODEL}"
    ),
    "oom-vulkan": (
        "ggml_vulkan: Device memory allocation of size 4006548992 failed.\n"
        "ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory\n"
        "alloc_tensor_range: failed to allocate Vulkan0 buffer of size 4006548992\n"
        f"llama_model_load: error loading model: unable to allocate Vulkan0 buffer\n{_MODEL}"
    ),
    "no-such-file": (
        "gguf_init_from_file: failed to open GGUF file (No such file or directory)\n"
        f"llama_model_load: error loading model: failed to load model\n{_MODEL}"
    ),
    "damaged": (
        "llama_model_load: error loading model: tensor 'blk.1.attn_v.weight' data is not within "
        f"the file bounds, model is corrupted or incomplete\n{_MODEL}"
    ),
    "unknown-architecture": (
        f"llama_model_load: error loading model: unknown model architecture: 'alien'\n{_MODEL}"
    ),
    "mmproj-mismatch": (
        "mtmd_init_from_file: error: mismatch between text model (n_embd = 5120) and mmproj "
        "(n_embd = 4096)\n"
        "hint: you may be using wrong mmproj\n\n"
        "srv    load_model: failed to load multimodal model\n"
        "srv  llama_server: exiting due to model loading error"
    ),
    "port-taken": (
        "srv         start: couldn't bind HTTP server socket\n"
        "srv  llama_server: exiting due to HTTP server error"
    ),
    "missing-library": (
        "llama-server: error while loading shared libraries: libcudart.so.12: cannot open shared "
        "object file: No such file or directory"
    ),
    "old-driver": (
        "ggml_cuda_init: failed to initialize CUDA: CUDA driver version is insufficient for CUDA "
        "runtime version"
    ),
}
