"""Text comes out as it went in, and a tone is bright where it sounds."""

import numpy as np
import pytest

from jaxgen.data.sound import from_mu_law, mu_law, read_wav
from jaxgen.errors import UserError
from jaxgen.report.sequences import as_symbols, as_text, as_wav, spectrogram, spectrogram_drawing


def test_bytes_are_the_text_that_they_are():
    rows = np.stack([np.frombuffer(text.encode(), np.uint8) for text in ("grün\n", "blau.x")]).astype(np.float32)
    assert as_text(rows).split(f"\n{'-' * 40}\n") == ["grün\n", "blau.x\n"]
    assert as_text(np.full((1, 2), 255)) == "��\n"
    for wrong in (rows + 0.5, rows + 256, rows[0], rows[None]):
        with pytest.raises(UserError, match="are no text"):
            as_text(wrong)


def test_sounds_are_heard_one_after_the_other_with_a_pause_between(tmp_path):
    file, sounds = tmp_path / "two.wav", np.stack([np.sin(0.3 * np.arange(512)), np.linspace(-1.5, 1.5, 512)])
    file.write_bytes(as_wav(sounds, 8000))
    samples, rate = read_wav(file)
    assert rate == 8000
    apart = samples.reshape(2, 512 + 2000)  # a quarter of a second
    np.testing.assert_allclose(apart[:, :512], np.clip(sounds, -1, 1), atol=1e-4)
    assert not apart[:, 512:].any()
    with pytest.raises(UserError, match="are no sound"):
        as_symbols(sounds, "sound")


def test_a_tone_is_loud_at_its_frequency_while_it_sounds():
    time = np.arange(2048)
    tone = np.where(time < 1024, np.sin(2 * np.pi * 0.125 * time), 0.1 * np.sin(2 * np.pi * 0.25 * time))
    frequency, middle, decibels = spectrogram(tone)
    first, last = middle < 900, middle > 1150
    assert set(frequency[decibels[:, first].argmax(0)]) == {0.125}
    assert set(frequency[decibels[:, last].argmax(0)]) == {0.25}
    assert decibels[:, first].max() - decibels[:, last].max() == pytest.approx(20, abs=0.5)  # a tenth as wide


def test_samples_are_drawn_each_above_its_spectrogram():
    class Played:
        def sample(self, view, key, count):
            return mu_law(np.sin(0.3 * np.arange(count * 512)).reshape(count, 512))

    drawing = spectrogram_drawing(Played(), from_mu_law)
    figure = drawing.draw(drawing.compute(None))
    assert len(figure.axes) == 8
    drawn = figure.axes[0].lines[0].get_ydata()
    np.testing.assert_allclose(drawn, np.sin(0.3 * np.arange(512)), atol=0.03)
    mesh = figure.axes[1].collections[0].get_array()
    assert mesh.shape == (65, 7)
