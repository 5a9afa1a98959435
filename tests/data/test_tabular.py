"""The tables of the density estimators' literature, from small files in the published formats."""

import numpy as np
import pytest

from jaxgen.data.tabular import breast_cancer, published
from jaxgen.errors import UserError

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))

    def write(name, array):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        np.save(tmp_path / name, array)

    return tmp_path, write


def everything(dataset):
    splits = (dataset.train, dataset.validation, dataset.test)
    return tuple(split[np.arange(len(split))]["x"] for split in splits)


def test_power_is_shuffled_without_two_columns_and_with_noise_below_its_resolution(folder):
    _, write = folder
    data = RNG.normal(5, 3, (1000, 8)).round(3)
    write("power/data.npy", data)
    train, validation, test = everything(published("power"))
    assert (train.shape, validation.shape, test.shape) == ((810, 6), (90, 6), (100, 6))
    seen = np.concatenate([train, validation])
    np.testing.assert_allclose(seen.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(seen.std(0), 1, atol=1e-5)
    # Undone, the last column is the file's in the order of the stated seed; others exceed it by no more than the noise.
    order = np.random.RandomState(42).permutation(1000)
    raw = data[order][:, [0, 2, 4, 5, 6, 7]]
    np.testing.assert_allclose(seen[:, 5], (raw[:900, 5] - raw[:900, 5].mean()) / raw[:900, 5].std(), atol=1e-5)
    for column, most in enumerate([0.001, 0.01, 1, 1, 1]):
        slope, start = np.polyfit(raw[:900, column], seen[:, column], 1)
        noise = (seen[:, column] - start) / slope - raw[:900, column]
        assert noise.max() - noise.min() == pytest.approx(most, rel=0.15)


def test_gas_keeps_one_of_each_group_of_sensors_that_go_together(folder):
    _, write = folder
    sensors = RNG.normal(size=(500, 8))
    twins = sensors + 0.01 * RNG.normal(size=(500, 8))
    write("gas/ethylene_CO.npy", np.hstack([RNG.normal(size=(500, 3)), twins, sensors]))
    train, validation, test = everything(published("gas"))
    assert (len(train), len(validation), len(test)) == (405, 45, 50)
    truth = (sensors - sensors.mean(0)) / sensors.std(0, ddof=1)
    np.testing.assert_allclose(train, truth[:405], atol=1e-5)
    np.testing.assert_allclose(validation, truth[405:450], atol=1e-5)
    np.testing.assert_allclose(test, truth[450:], atol=1e-5)


def test_hepmass_is_signal_without_discrete_features_and_without_the_mass(folder):
    path, _ = folder
    (path / "hepmass").mkdir()
    tables = {}
    for split, rows, extra in (("train", 400, 0), ("test", 100, 1)):
        label = RNG.integers(0, 2, (rows, 1))
        features = RNG.normal(3, 2, (rows, 27))
        features[:, :6] = features[:, :6].round().clip(2, 4)
        tables[split] = label, features
        table = np.hstack([label, features, np.full((rows, extra), 1000.0)])
        header = ",".join(f"f{i}" for i in range(table.shape[1]))
        np.savetxt(path / "hepmass" / f"1000_{split}.csv", table, delimiter=",", header=header, comments="")
    train, validation, test = everything(published("hepmass"))
    signal = {split: features[label[:, 0] == 1, 6:] for split, (label, features) in tables.items()}
    mean, std = signal["train"].mean(0), signal["train"].std(0, ddof=1)
    seen = np.concatenate([train, validation])
    np.testing.assert_allclose(seen, (signal["train"] - mean) / std, atol=1e-5)
    np.testing.assert_allclose(test, (signal["test"] - mean) / std, atol=1e-5)
    assert len(validation) == int(0.1 * len(seen))


def test_miniboone_is_split_in_order_and_bsds300_is_as_it_comes(folder):
    _, write = folder
    data = RNG.normal(2, 5, (200, 43))
    write("miniboone/data.npy", data)
    train, validation, test = everything(published("miniboone"))
    scaled = (data - data[:180].mean(0)) / data[:180].std(0)
    np.testing.assert_allclose(train, scaled[:162], atol=1e-5)
    np.testing.assert_allclose(validation, scaled[162:180], atol=1e-5)
    np.testing.assert_allclose(test, scaled[180:], atol=1e-5)
    for split, rows in (("train", 9), ("validation", 4), ("test", 5)):
        write(f"BSDS300/{split}.npy", np.full((rows, 63), rows / 10))
    splits = everything(published("bsds300"))
    assert [x.shape for x in splits] == [(9, 63), (4, 63), (5, 63)]
    np.testing.assert_allclose(splits[1], np.float32(0.4))


def test_files_that_are_missing_or_others_are_one_sentence(folder):
    path, write = folder
    dataset = published("gas")
    assert dataset.spec["x"].shape == (8,)  # known without files
    with pytest.raises(UserError, match=r"ethylene_CO.npy does not exist; gas needs .* in the folder --data-dir names"):
        len(dataset.train)
    with pytest.raises(UserError, match="1000_train.csv does not exist; hepmass needs"):
        len(published("hepmass").train)
    write("miniboone/data.npy", RNG.normal(size=(20, 50)))
    with pytest.raises(UserError, match="leave 50 columns where 43 are published"):
        len(published("miniboone").train)
    (path / "power").mkdir()
    np.save(path / "power" / "data.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(UserError, match="cannot be read"):
        len(published("power").train)
    (path / "power" / "data.npy").write_bytes(b"")
    with pytest.raises(UserError, match="cannot be read"):
        len(published("power").train)


def test_the_embedded_table_is_standardized_by_the_rows_that_are_not_tested_on():
    dataset = breast_cancer()
    train, validation, test = everything(dataset)
    assert (train.shape, validation.shape, test.shape) == ((364, 30), (91, 30), (114, 30))
    seen = np.concatenate([train, validation])
    np.testing.assert_allclose(seen.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(seen.std(0), 1, atol=1e-5)
    assert np.abs(test.mean(0)).max() > 0.01
    assert len({row.tobytes() for row in (*seen, *test)}) == 569  # in no two splits
    assert {f: (s.shape, s.dtype) for f, s in dataset.spec.items()} == {"x": ((30,), "float32"), "label": ((), "int32")}
