import numpy as np

from models.catalog import describe_data
from models.data.loading import ImageSplits, load_data, load_images, pool


def test_what_is_loaded_is_what_was_described(digits: ImageSplits) -> None:
    description = describe_data({"name": "digits"})
    assert digits.train_images.shape == (description.train, *description.shape)
    assert len(digits.validation_labels) == description.validation
    assert len(digits.test_labels) == description.test
    assert len(digits.label_names) == description.classes
    assert digits.train_images.dtype == np.uint8 and digits.train_labels.dtype == np.int64
    assert digits.train_images.max() == digits.scale == 16.0


def test_a_subset_of_the_training_split_leaves_the_others_alone(
    digits: ImageSplits, few_digits: ImageSplits
) -> None:
    assert np.array_equal(few_digits.validation_images, digits.validation_images)
    assert np.array_equal(few_digits.test_labels, digits.test_labels)
    assert np.bincount(few_digits.train_labels).min() >= 5
    pixels = {image.tobytes() for image in digits.train_images}
    assert all(image.tobytes() in pixels for image in few_digits.train_images)


def test_pooling_averages_squares() -> None:
    image = np.array([[0, 4, 8, 8], [4, 8, 8, 8], [1, 1, 200, 0], [1, 2, 0, 0]], dtype=np.uint8)
    assert pool(image[None, None], 2).tolist() == [[[[4, 8], [1, 50]]]]  # 5/4 rounds to 1


def test_pooling_keeps_the_proportions_and_the_range() -> None:
    white = np.full((2, 3, 4, 6), 255, dtype=np.uint8)
    assert pool(white, 2).shape == (2, 3, 2, 3)
    assert pool(white, 2).min() == 255


def test_a_size_that_does_not_divide_resizes() -> None:
    data = load_images({"name": "digits", "image_size": 5})
    assert data.train_images.shape == (1000, 1, 5, 5) and data.train_images.max() <= data.scale


def test_images_are_one_kind_of_data(few_digits: ImageSplits) -> None:
    loaded = load_data({"name": "digits", "train_examples": 60}, "images")
    assert isinstance(loaded, ImageSplits)
    assert np.array_equal(loaded.train_images, few_digits.train_images)
