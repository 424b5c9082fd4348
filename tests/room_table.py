"""The room table of the house: what each room may import, and what its modules are."""

from __future__ import annotations

from dataclasses import dataclass

ROOMS = ("semcom", "transmitters", "channel_sim", "receiver", "orchestrator")

MODEL_MODULES = (
    "semcom.onnx.blocks",
    "semcom.onnx.graph",
    "semcom.onnx.session",
    "semcom.onnx.weight_table",
    "transmitters.codec",
    "transmitters.conv_encoder",
    "transmitters.encoder",
    "transmitters.channel_encoder",
    "transmitters.engine",
    "transmitters.digital",
    "transmitters.exported",
    "transmitters.kd_semcom.codec",
    "transmitters.kd_semcom.encoder",
    "transmitters.label",
    "transmitters.onnx_encoders",
    "transmitters.onnx_engine",
    "transmitters.onnx_model",
    "transmitters.onnx_resize",
    "transmitters.semnoma",
    "transmitters.timm_encoder",
    "transmitters.vit",
    "receiver.codec",
    "receiver.channel_decoder",
    "receiver.digital",
    "receiver.engine",
    "receiver.exported",
    "receiver.heads",
    "receiver.kd_semcom.codec",
    "receiver.kd_semcom.decoder",
    "receiver.equalizer",
    "receiver.label",
    "receiver.numpy_equalizer",
    "receiver.onnx_decoder",
    "receiver.symbol_weights",
    "receiver.semnoma",
    "receiver.vit",
    "channel_sim.channels",
    "channel_sim.compiled.engine",
    "channel_sim.compiled.kernels",
    "channel_sim.compiled.loops",
    "channel_sim.compiled.machine_code",
    "channel_sim.noise",
    "channel_sim.noise_engine",
    "channel_sim.passing",
    "channel_sim.superposition",
    "channel_sim.interference",
)
# Where a network may be defined; a service never does.
NETWORK_FILES = (
    "semcom.nn",
    "transmitters.encoder",
    "transmitters.conv_encoder",
    "transmitters.channel_encoder",
    "transmitters.label.classifier",
    "transmitters.semnoma.encoder",
    "transmitters.vit.encoder",
    "receiver.channel_decoder",
    "receiver.heads",
    "transmitters.kd_semcom.encoder",
    "receiver.kd_semcom.decoder",
    "receiver.semnoma.decoder",
    "receiver.semnoma.refinement",
    "receiver.semnoma.unet",
    "receiver.torch_half",
    "receiver.vit.decoder",
    "orchestrator.training",
)
SOCKET_MODULES = (
    "zmq", "semcom.sockets", "semcom.part_reader", "semcom.authenticator", "semcom.service",
    "semcom.worker", "semcom.health",
)  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """Dotted prefixes a room may import beside the standard library, less those taken out."""

    allowed: tuple[str, ...]
    forbidden: tuple[str, ...] = ()


RULES = {
    "semcom": Rule(
        (
            "semcom", "numpy", "msgpack", "msgspec", "pydantic", "pydantic_core",
            "prometheus_client", "yaml", "zlib_ng",
        ),
        ("semcom.nn", "semcom.onnx"),
    ),
    "semcom.nn": Rule(("semcom", "torch", "numpy"), ("torch.optim", *SOCKET_MODULES)),
    "semcom.onnx": Rule(("semcom", "numpy"), ("semcom.nn", *SOCKET_MODULES)),
    "transmitters": Rule(
        ("transmitters", "semcom", "torch", "numpy", "pydantic"), ("torch.optim",)
    ),
    "channel_sim": Rule(
        ("channel_sim", "semcom", "numpy", "pydantic"), ("semcom.nn", "semcom.onnx")
    ),
    "receiver": Rule(("receiver", "semcom", "torch", "numpy", "pydantic"), ("torch.optim",)),
    "orchestrator": Rule(
        (
            "orchestrator", "semcom", "numpy", "pydantic", "yaml", "typer", "rich", "matplotlib",
            "PIL", "psutil",
        ),
        ("semcom.nn", "semcom.onnx", "orchestrator.training"),
    ),
    "orchestrator.training": Rule(
        (
            "orchestrator.training", "orchestrator.cli.terminal", "semcom", "torch", "torchvision",
            "timm", "numpy", "pydantic", "yaml", "safetensors", "rich", "matplotlib", "tensorboard",
            *MODEL_MODULES,
        ),
        SOCKET_MODULES,
    ),
}  # fmt: skip
# What one module of a room may import and its neighbours may not.
ALSO = {
    "channel_sim.compiled.kernels": ("numba",),
    "channel_sim.compiled.loops": ("numba", "llvmlite"),
    "channel_sim.compiled.machine_code": ("llvmlite",),
    "channel_sim.peer_bench": ("sionna", "torch"),  # a process that a benchmark starts
    "channel_sim.models.tr38901": ("sionna",),  # when the first codeword is drawn
    "semcom.families.image_formats": ("PIL",),  # when the first image is written
    "semcom.nn.block_code": ("sionna",),  # when the first code is built
    "semcom.sockets": ("zmq",),
    "semcom.authenticator": ("zmq",),
    "semcom.part_reader": ("zmq",),
    "semcom.codec_arrays": ("safetensors",),
    "semcom.plugins": ("module",),  # what a name of a plug-in stands for
    "orchestrator.bench.raw": ("zmq",),  # what the system is measured against
    "orchestrator.datasets.parquet_files": ("pyarrow",),
    "orchestrator.inspection.sigmf_recording": ("sigmf",),
    **{
        f"orchestrator.on_ray.{name}": ("ray",)
        for name in (
            *("connection", "placed_processes", "process_actor", "sweep_cluster"),
            *("training_jobs", "units"),
        )
    },
    "orchestrator.training.measuring.sentence_vectors": ("tokenizers",),
    "semcom.onnx.session": ("onnxruntime",),
    "semcom.onnx.graph": ("onnx",),
    "transmitters.timm_encoder": ("timm",),
}
# The only modules of both ends that know torch; a device with ONNX Runtime has none.
WITH_TORCH = (
    "receiver.channel_decoder",
    "receiver.codec",
    "receiver.digital.images",
    "receiver.digital.sentences",
    "receiver.engine",
    "receiver.equalizer",
    "receiver.exported",
    "receiver.heads",
    "receiver.kd_semcom.codec",
    "receiver.kd_semcom.decoder",
    "receiver.semnoma.codec",
    "receiver.semnoma.decoder",
    "receiver.semnoma.gains",
    "receiver.semnoma.refinement",
    "receiver.semnoma.unet",
    "receiver.torch_half",
    "receiver.vit.codec",
    "receiver.vit.decoder",
    "transmitters.channel_encoder",
    "transmitters.codec",
    "transmitters.label.classifier",
    "transmitters.label.on_torch",
    "transmitters.conv_encoder",
    "transmitters.digital.codec",
    "transmitters.digital.images",
    "transmitters.digital.sentences",
    "transmitters.encoder",
    "transmitters.engine",
    "transmitters.exported",
    "transmitters.kd_semcom.codec",
    "transmitters.kd_semcom.encoder",
    "transmitters.semnoma.codec",
    "transmitters.semnoma.encoder",
    "transmitters.timm_encoder",
    "transmitters.vit.codec",
    "transmitters.vit.encoder",
)
# Folders of families: each knows its room and semcom, and no other family's folder.
FAMILY_FOLDERS = [
    f"{room}.{family}"
    for room in ("transmitters", "receiver", "orchestrator.training")
    for family in ("kd_semcom", "semnoma", "vit")
] + ["transmitters.digital", "receiver.digital"]


def under(name: str, prefixes: tuple[str, ...]) -> bool:
    """Return whether a dotted name is one of these, or below one."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def room_of(module: str) -> str:
    """Return the innermost room of the table that a module is in."""
    return max((room for room in RULES if under(module, (room,))), key=len)
