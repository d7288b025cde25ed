import pytest
import torch

from models.adversarial.embeddings.epsilon_unit import TokenBall, pretrained_unit

TABLE = torch.tensor([[3.0, 4.0], [0.0, 1.0], [100.0, 0.0]])
MASK = torch.tensor([[1, 1, 0], [1, 0, 0]])


def test_the_unit_is_the_mean_norm_over_the_training_tokens() -> None:
    # Norms 5 and 1; the third row occurs in no training text.
    assert pretrained_unit(TABLE, [0, 0, 1]) == pytest.approx(11 / 3)
    assert pretrained_unit(TABLE, torch.tensor([[0, 1], [1, 1]])) == pytest.approx(8 / 4)


@pytest.mark.parametrize(
    ("table", "ids", "says"),
    [
        (TABLE, [], "no training tokens"),
        (TABLE, [0, 3], "reach from 0 to 3, but the table has 3 rows"),
        (TABLE, [-100, 1], "reach from -100"),
        (TABLE * 0, [0], "mean norm 0.0"),
        (TABLE * float("nan"), [0], "mean norm nan"),
    ],
)
def test_a_unit_that_means_nothing_is_refused(table, ids, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        pretrained_unit(table, ids)


def test_projection_shortens_what_is_too_long_and_clears_padding() -> None:
    delta = torch.tensor([[[3.0, 4.0], [0.3, 0.4], [1.0, 1.0]], [[0.0, -2.0]] * 3])
    projected = TokenBall(MASK, 1.0).project(delta)
    expected = torch.tensor(
        [[[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]], [[0.0, -1.0]] + [[0.0, 0.0]] * 2]
    )
    torch.testing.assert_close(projected, expected)


@pytest.mark.parametrize("scale", [1.0, 1e-25, 1e15])
def test_the_steepest_direction_has_norm_one_at_each_open_token(scale: float) -> None:
    gradient = torch.tensor([[[3.0, 4.0], [0.0, 0.0], [1.0, 1.0]], [[0.0, -2.0]] * 3]) * scale
    expected = torch.tensor(
        [[[0.6, 0.8], [0.0, 0.0], [0.0, 0.0]], [[0.0, -1.0]] + [[0.0, 0.0]] * 2]
    )
    torch.testing.assert_close(TokenBall(MASK, 0.1).steepest(gradient), expected)


def test_noise_is_seeded_bounded_and_spares_padding() -> None:
    ball, like = TokenBall(torch.ones(50, 4), 0.5), torch.zeros(50, 4, 3)
    noise = ball.noise(like, 0.4, torch.Generator().manual_seed(0))
    assert torch.equal(noise, ball.noise(like, 0.4, torch.Generator().manual_seed(0)))
    assert noise.norm(dim=-1).max() <= 0.4
    # Uniform in [-a, a] has variance a^2 / 3; of 600 draws the mean square is off by less than
    # five standard errors, 5 * sqrt(4 / 45 / 600) * a^2 = 0.061 a^2.
    a_squared = 0.4**2 / 3
    assert abs(noise.square().mean() - a_squared / 3) < 0.061 * a_squared
    assert TokenBall(torch.zeros(50, 4), 0.5).noise(like, 0.4, torch.Generator()).abs().max() == 0
