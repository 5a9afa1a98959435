"""Computed notes are tones of their pitch, and the entropy of their noise is a floor."""

import numpy as np

from jaxgen.data.notes import NOISE, RATE, noise_bits, notes
from jaxgen.data.sound import from_mu_law, mu_law


def test_a_note_is_harmonics_of_one_pitch_that_die_away():
    clean = notes(length=4096).train[np.arange(8)]["clean"]
    time = np.arange(4096) / RATE
    steady = clean * np.exp(time / 0.2)  # as it would be, did it not fall
    assert np.abs(clean).max() <= 0.9
    for wave in steady:
        spectrum = np.abs(np.fft.rfft(wave * np.hanning(4096), 1 << 17))
        hertz = np.fft.rfftfreq(1 << 17, 1 / RATE)
        candidates = np.exp(np.linspace(np.log(95), np.log(850), 2000))
        partials = [np.interp(k * candidates, hertz, spectrum) for k in (1, 2, 3, 4)]
        pitch = candidates[np.argmax(np.sum(partials, 0))]
        basis = [f(2 * np.pi * k * pitch * time) for k in (1, 2, 3, 4) for f in (np.cos, np.sin)]
        near = np.linalg.lstsq(np.stack(basis, 1) * np.hanning(4096)[:, None], wave * np.hanning(4096), rcond=None)
        assert near[1] < 0.02 * np.sum((wave * np.hanning(4096)) ** 2)


def test_the_entropy_of_the_noise_is_that_of_many_draws():
    clean = np.array([0.0, 0.003, -0.4, 0.9])
    heard = mu_law(clean + NOISE * np.random.default_rng(0).normal(size=(200_000, 4)))
    for index, expected in enumerate(noise_bits(clean)):
        share = np.bincount(heard[:, index]) / len(heard)
        found = -np.sum(share[share > 0] * np.log2(share[share > 0]))
        np.testing.assert_allclose(found, expected, atol=0.01)


def test_symbols_are_the_clean_samples_but_for_noise():
    batch = notes(length=256).test[np.arange(16)]
    difference = from_mu_law(batch["sound"]) - batch["clean"]
    # Besides the noise, the steps of the µ-law, which are as wide as a fiftieth of what they hold.
    assert 0.9 * NOISE < difference.std() < 1.5 * NOISE
    train = notes(length=256).train[np.arange(16)]
    assert not np.array_equal(train["sound"], batch["sound"])
