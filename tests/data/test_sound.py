import re
import struct
import wave

import numpy as np
import pytest
import scipy.io.wavfile

from jaxgen.data.lookup import named
from jaxgen.data.sound import from_mu_law, mu_law, read_wav, sound
from jaxgen.errors import UserError

TONE = np.sin(np.arange(400) / 7)


def test_symbols_come_back_and_samples_within_half_a_step_which_grows_with_them():
    symbols = np.arange(256)
    samples = from_mu_law(symbols)
    np.testing.assert_array_equal(mu_law(samples), symbols)
    np.testing.assert_allclose(samples[[0, 255]], [-1, 1])
    x = np.linspace(-1, 1, 10_001)
    error = np.abs(from_mu_law(mu_law(x)) - x)
    # half a step of f is 1/255; df/dx = 255 / (ln 256 (1 + 255 |x|))
    assert (error <= 1.1 / 255 * np.log(256) * (1 + 255 * np.abs(x)) / 255).all()
    assert error[np.abs(x) < 0.01].max() < 5e-4 < 1e-2 < error.max()


def test_g711_s_curve_and_clipping():
    assert mu_law(np.array([0.0, 2.0, -3.0])).tolist() == [128, 255, 0]
    np.testing.assert_allclose((mu_law(np.array([0.1])) / 255 * 2 - 1), np.log1p(25.5) / np.log(256), atol=1 / 255)


def write(path, samples, width=2, rate=8000):
    """Samples in [-1, 1], `[n]` or `[n, channels]`, as linear PCM."""
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = 2 ** (8 * width - 1) - 1
    whole = np.round(np.asarray(samples) * levels).astype("<i4") + (128 if width == 1 else 0)
    with wave.open(str(path), "wb") as file:
        file.setparams((1 if whole.ndim == 1 else whole.shape[1], width, rate, 0, "NONE", ""))
        file.writeframes(whole.reshape(-1, 1).view(np.uint8)[:, :width].tobytes())
    return path


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_samples_of_every_width_are_those_that_were_written(width, tmp_path):
    samples, rate = read_wav(write(tmp_path / "a.wav", TONE, width))
    assert rate == 8000
    np.testing.assert_allclose(samples, TONE, atol=2 / 2 ** (8 * width - 1) + 1e-6)
    if width in (2, 4):  # as another reader has them
        _, theirs = scipy.io.wavfile.read(tmp_path / "a.wav")
        np.testing.assert_allclose(samples, theirs / 2.0 ** (8 * width - 1), atol=1e-6)
    both, _ = read_wav(write(tmp_path / "b.wav", np.stack([TONE, -TONE / 2], 1), width))
    np.testing.assert_allclose(both, TONE / 4, atol=2 / 2 ** (8 * width - 1) + 1e-6)


def test_a_folder_of_sound_becomes_windows_of_symbols(tmp_path):
    for number in range(6):
        write(tmp_path / f"{number}.wav", np.full(20, number / 10))
    data = named(str(tmp_path), length=16)
    train, test = (source[np.arange(len(source))]["sound"] for source in (data.train, data.test))
    assert train.dtype == np.uint8
    assert (len(train), len(test)) == (5 * (6 - len(test)), len(test))
    symbols = {int(mu_law(np.array(number / 10))) for number in range(6)}
    assert {*train.ravel()} | {*test.ravel()} == symbols
    assert len({*train.ravel()}) + len({*test.ravel()}) == 6
    assert len(named(str(tmp_path / "0.wav"), length=2).test) == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda x: b"not sound at all", "is no WAV file of linear PCM (file does not start with RIFF id)"),
        (lambda x: b"", "is no WAV file of linear PCM (it ends too early)"),
        (lambda x: x[: len(x) // 2], "is no WAV file of linear PCM (its header claims 400 samples, which it does not"),
        (lambda x: x[:20] + struct.pack("<H", 3) + x[22:], "is no WAV file of linear PCM (unknown format: 3)"),
        (lambda x: x[:40] + struct.pack("<I", 2**32 - 2) + x[44:], "is no WAV file of linear PCM (its header claims"),
        (lambda x: x[:22] + struct.pack("<H", 0) + x[24:], "is no WAV file of linear PCM (bad # of channels)"),
        (lambda x: x[:24] + struct.pack("<I", 16000) + x[28:], "has 16000 samples a second where others have 8000; re"),
    ],
)
def test_sound_that_cannot_serve_is_named_and_may_be_skipped(damage, message, tmp_path):
    for number in range(4):
        write(tmp_path / f"{number}.wav", TONE)
    bad = tmp_path / "z.wav"
    bad.write_bytes(damage((tmp_path / "0.wav").read_bytes()))
    with pytest.raises(UserError, match=re.escape(f"{bad} {message}")) as caught:
        len(sound(tmp_path, length=8).train)
    assert "\n" not in str(caught.value)
    said = []
    data = sound(tmp_path, length=8, held_out=0.3, skip_bad=True, say=said.append)
    assert len(data.train) % 393 == 0  # of whole files
    assert len(said) == 1
    assert said[0].endswith("It is file 1 that is left out.")
