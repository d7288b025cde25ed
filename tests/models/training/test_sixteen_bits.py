from dataclasses import replace

import numpy as np
import pytest

from models.data.loading import ImageSplits
from models.weights.overlap import image_keys
from tests.support.image_trainings import SMALL, are_equal, train, without_seconds


@pytest.mark.slow
def test_images_of_sixteen_bits_train_as_those_of_eight(few_digits: ImageSplits) -> None:
    wide = replace(
        few_digits,
        scale=few_digits.scale * 257,
        **{
            f"{split}_images": getattr(few_digits, f"{split}_images").astype(np.int32) * 257
            for split in ("train", "validation", "test")
        },
    )
    trained = [train(SMALL, data) for data in (few_digits, wide)]
    reports = [[without_seconds(report) for report in each.run()] for each in trained]
    assert reports[0] == reports[1] and are_equal(*trained)
    assert len(image_keys(wide.test_images)) == len(wide.test_images)
