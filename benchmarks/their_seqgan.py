"""SeqGAN of Yu et al., 2017, in PyTorch: the step that `ours.py` takes, its rollouts all at once or one by one."""

import copy
from collections.abc import Callable

import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]

State = tuple[Tensor, Tensor]


class Policy(nn.Module):
    """An LSTM over symbols."""

    def __init__(self, symbols: int, width: int):
        super().__init__()
        self.embed = nn.Embedding(symbols, width)
        self.first = nn.Parameter(0.02 * torch.randn(width))
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.lstm.bias_ih_l0.requires_grad_(False)  # Flax has one bias
        self.head = nn.Linear(width, symbols)

    def forward(self, x: Tensor) -> Tensor:
        """Symbols `[batch, length]` to log-probabilities of each given those before it, `[batch, length]`."""
        y = torch.cat((self.first.expand(len(x), 1, -1), self.embed(x[:, :-1])), 1)
        log_p = F.log_softmax(self.head(self.lstm(y)[0]), -1)
        return log_p.gather(-1, x[..., None])[..., 0]

    def read(self, previous: Tensor | None, state: State) -> tuple[Tensor, State]:
        """What follows symbols `[batch]`, or begins a sequence, as logits; and the state after them."""
        y = self.first.expand(state[0].shape[1], -1) if previous is None else self.embed(previous)
        y, state = self.lstm(y[:, None], state)
        return self.head(y[:, 0]), state

    def start(self, count: int) -> State:
        zeros = torch.zeros(1, count, self.lstm.hidden_size)
        return zeros, zeros


class Critic(nn.Module):
    """Convolutions of five widths over symbols, and their maxima over time."""

    def __init__(self, symbols: int, embedding: int = 32, features: int = 64):
        super().__init__()
        self.embed = nn.Embedding(symbols, embedding)
        self.convs = nn.ModuleList(nn.Conv1d(embedding, features, n, padding=n - 1) for n in (1, 2, 3, 4, 5))
        self.hidden, self.logit = nn.Linear(5 * features, features), nn.Linear(features, 1)

    def forward(self, x: Tensor) -> Tensor:
        words = self.embed(x).mT
        maxima = torch.cat([conv(words).amax(-1) for conv in self.convs], 1).relu()
        return self.logit(F.leaky_relu(self.hidden(maxima), 0.2))[:, 0]


def drawn(logits: Tensor) -> Tensor:
    """A symbol of each row, `[batch]`."""
    return torch.multinomial(torch.softmax(logits, -1), 1)[:, 0]


def finished(policy: Policy, begun: Tensor, kept: int, length: int) -> Tensor:
    """Sequences whose first symbols are given, the others drawn one by one: each a pass from the first symbol on."""
    state, symbol, written = policy.start(len(begun)), None, []
    for place in range(length):
        logits, state = policy.read(symbol, state)
        symbol = begun[:, place] if place < kept else drawn(logits)
        written.append(symbol)
    return torch.stack(written, 1)


def one_by_one(policy: Policy, critic: Critic, tokens: Tensor, rollouts: int) -> Tensor:
    """What symbols `[batch, length]` are worth, a beginning and a rollout at a time, as the authors' loop has it."""
    length, worth = tokens.shape[1], []
    for kept in range(1, length):
        ended = [torch.sigmoid(critic(finished(policy, tokens, kept, length))) for _ in range(rollouts)]
        worth.append(torch.stack(ended).mean(0))
    return torch.stack([*worth, torch.sigmoid(critic(tokens))], 1)


def at_once(policy: Policy, critic: Critic, tokens: Tensor, rollouts: int) -> Tensor:
    """The same of all together: at each place the rollouts that have begun go on, from states that are kept."""
    count, length = tokens.shape
    real, symbol = policy.start(count), None
    state, written = None, tokens.new_zeros(0, 0)
    for place in range(length):
        _, real = policy.read(symbol, real)
        symbol = tokens[:, place]
        if state is not None:
            more, state = policy.read(written[:, -1], state)
            written = torch.cat((written, drawn(more)[:, None]), 1)
        if place < length - 1:
            begun = tokens[:, : place + 1].repeat(rollouts, 1)
            copies = tuple(x.repeat(1, rollouts, 1) for x in real)
            written = torch.cat((written, begun)) if state is not None else begun
            state = copies if state is None else tuple(torch.cat(x, 1) for x in zip(state, copies, strict=True))
    earned = torch.sigmoid(critic(written)).view(length - 1, rollouts, count).mean(1)
    return torch.cat((earned, torch.sigmoid(critic(tokens))[None])).T


def step_of(
    policy: Policy,
    critic: Critic,
    tokens: Tensor,
    compile: Callable[[Callable], Callable],
    *,
    worth: Callable[[Policy, Critic, Tensor, int], Tensor],
    rollouts: int,
    critic_steps: int,
) -> Callable[[], None]:
    """Updates of the critic, one of the policy, and the lagging policy's that completes."""
    lagging = copy.deepcopy(policy).requires_grad_(False)
    moving = [p for p in policy.parameters() if p.requires_grad]
    optimizers = [torch.optim.Adam(p, 1e-3, fused=True) for p in (list(critic.parameters()), moving)]
    count, length = tokens.shape

    @compile
    def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
        return F.softplus(-critic(real)).mean() + F.softplus(critic(fake)).mean()

    @compile
    def policy_loss(own: Tensor, gain: Tensor) -> Tensor:
        return -(gain * policy(own)).sum(1).mean()

    def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    def step() -> None:
        for _ in range(critic_steps):
            with torch.no_grad():
                fake = finished(policy, tokens, 0, length)
            descend(optimizers[0], critic_loss(tokens, fake))
        with torch.no_grad():
            own = finished(policy, tokens, 0, length)
            earned = worth(lagging, critic, own, rollouts)
            gain = earned - (earned.sum(0) - earned) / (count - 1)
        descend(optimizers[1], policy_loss(own, gain))
        with torch.no_grad():
            torch._foreach_lerp_(list(lagging.parameters()), list(policy.parameters()), 0.2)

    return step
