"""What `accelerator.py` measures: a row is one network in one type; another one is an entry here.

A row's `network` is a function of that name in `on_device_ours.py` and one in `on_device_theirs.py`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Row:
    """A network to time.

    Attributes:
      network: what builds it.
      dtype: "bfloat16" (parameters stay float32), or "float32", whose products are then TF32 in all contenders.
      batch: examples in a batch.
      settings: the network's arguments.
      toy: arguments and batch in their place with `--toy`.
      best: the best published number, and where.
      variants: what is timed of jaxgen beside PyTorch: "plain", a flow's memory modes, or "deterministic", with XLA's
        kernels that add up in any order left out.
      peers: PyTorch's modes that take turns with it; none where memory is for one alone.
      wave: rows of one wave compile at the same time, and are timed one after another; the first is the dearest to
        compile and has the processor to itself.
      steps_per_call: of jaxgen's.
      unit: what an example counts as, and how many of them it is.
    """

    network: str
    dtype: str
    batch: int
    settings: Mapping[str, Any]
    toy: Mapping[str, Any]
    best: str
    variants: tuple[str, ...] = ("plain",)
    peers: tuple[str, ...] = ("eager", "compile")
    wave: int = 0
    steps_per_call: int = 1
    unit: tuple[str, int] = ("images", 1)

    @property
    def name(self) -> str:
        return f"{self.network} {'bf16' if self.dtype == 'bfloat16' else 'tf32'} {self.batch}"


DETERMINISTIC = "--xla_gpu_exclude_nondeterministic_ops=true"  # what runs bit for bit as before needs of XLA

BIGGAN = {"size": 128, "width": 96, "classes": 1000}
BIGGAN_TOY = {"size": 32, "width": 4, "classes": 10, "batch": 4}


def in_both(wave: int, **row: Any) -> list[Row]:
    """The row in bfloat16, and in TF32 after all of those."""
    return [Row(dtype="bfloat16", wave=wave, **row), Row(dtype="float32", wave=wave + 4, **row)]


ROWS = sorted(
    [
        *in_both(
            0,
            network="biggan",
            batch=64,
            settings=BIGGAN,
            toy=BIGGAN_TOY,
            best="19.8 images/s a V100 (StudioGAN, 2 + 1 steps, batch 2048 on 8)",
        ),
        *in_both(
            0,
            network="transformer",
            batch=32,
            settings={"length": 1024, "width": 768, "layers": 12, "heads": 12},
            toy={"length": 16, "width": 16, "layers": 2, "heads": 2, "batch": 4},
            best="378,000 tokens/s an H100 (nanoGPT, 124M, 33 % of its peak)",
            unit=("tokens", 1024),
        ),
        *in_both(
            1,
            network="gated_pixelcnn",
            batch=32,
            settings={"size": 32, "width": 384, "layers": 20, "kernel": 5},
            toy={"size": 4, "width": 6, "layers": 2, "kernel": 3, "batch": 2},
            best="none published",
        ),
        *in_both(
            1,
            network="iwae",
            batch=1024,
            settings={"draws": 50},
            toy={"draws": 3, "batch": 2},
            best="none published",
            steps_per_call=10,
        ),
        *in_both(
            1,
            network="sngan_resnet",
            batch=256,
            settings={"width": 256, "critic_steps": 5},
            toy={"width": 8, "critic_steps": 2, "batch": 4},
            best="none published",
            variants=("plain", "deterministic"),
        ),
        *in_both(
            1,
            network="dcgan",
            batch=512,
            settings={"size": 64, "width": 128},
            toy={"size": 16, "width": 8, "batch": 4},
            best="none published",
        ),
        Row(
            network="biggan",
            dtype="bfloat16",
            batch=256,
            settings=BIGGAN,
            toy=BIGGAN_TOY,
            best="19.8 images/s a V100 (StudioGAN, 2 + 1 steps, batch 2048 on 8)",
            peers=(),
            wave=2,
        ),
        Row(  # without a peer: R1 and the length of paths are differentiated twice, which torch.compile refuses
            network="stylegan2",
            dtype="bfloat16",
            batch=32,
            settings={"features": [512, 512, 512, 512, 256, 128, 64], "latent_size": 512, "mapping_layers": 8},
            toy={"features": [4, 4], "latent_size": 4, "mapping_layers": 1, "batch": 4},
            best="79.8 images/s an A100 (NVlabs stylegan2-ada-pytorch, 256x256, half precision above 32 pixels)",
            peers=(),
            wave=3,
        ),
        *in_both(
            3,
            network="glow",
            batch=128,
            settings={"steps": 32, "levels": 3, "width": 512},
            toy={"steps": 2, "levels": 2, "width": 8, "batch": 4},
            best="32 images/s a GPU (openai/glow, 2018, kind not given)",
            variants=("plain", "remat", "reversible"),
        ),
        *in_both(
            3,
            network="mlp_vae",
            batch=1024,
            settings={},
            toy={"batch": 8},
            best="none published",
            steps_per_call=50,
        ),
    ],
    key=lambda row: row.wave,
)
