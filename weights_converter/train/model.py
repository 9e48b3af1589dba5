"""DistilBERT for sequence classification in plain PyTorch, with int8 inference simulated on request.

Parameter names are Hugging Face's, so `state_dict()` is a checkpoint of DistilBertForSequenceClassification.
With `Linear.simulate_int8` on, every product of a linear layer sees what the library's int8 arithmetic sees: weights
rounded per output channel as `distilbert-convert --sum-bits 16` does, embeddings per row (127 steps to either side),
activations per token (254 steps from the least to the largest), attention likewise where the library attends in int8;
gradients pass straight through the rounding (Bengio et al. 2013).
"""

import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm


def round_to_steps(x, scale):
    """Rounds x to whole steps of size scale; the gradient is that of the identity."""
    with torch.no_grad():
        rounded = (x.float() / scale).round() * scale
    return x + (rounded - x).detach()


def round_rows(w):
    """Rows of embeddings, keys or values, in 127 steps to either side."""
    return round_to_steps(w, w.detach().float().abs().amax(-1, keepdim=True).clamp_min(1e-30) / 127)


def fours(w):
    """[out, groups, 4] of w [out, in]: the weights whose products meet in a sum of 16 bits, those of inputs
    8 i + {0, 1, 4, 5} and 8 i + {2, 3, 6, 7} (include/distilbert/weights/packed_layout.hpp). The layout begins anew
    with each head, whose size must be a multiple of 8 then."""
    return w.unflatten(-1, (-1, 2, 2, 2)).transpose(-3, -2).flatten(-2).flatten(1, -2)


def joined(fours):
    """w, of fours(w)"""
    return fours.unflatten(1, (-1, 2)).unflatten(-1, (2, 2)).transpose(-3, -2).flatten(1)


def sums_of_signs(fours):
    """[out, groups, 2]: what the positive and what the negative weights of each group add up to."""
    return torch.stack([fours.clamp_min(0).sum(-1), -fours.clamp_max(0).sum(-1)], -1)


def weight_steps(w):
    """[out, 1]: one step of each row of a linear layer, of which a sum of either sign is 126 at most."""
    return (sums_of_signs(fours(w.detach().float())).amax((1, 2)) / 126).clamp_min(1e-30)[:, None]


def round_weights(w):
    return round_to_steps(w, weight_steps(w))


def round_activations(x):
    least, largest = x.detach().float().aminmax(dim=-1, keepdim=True)
    return round_to_steps(x, (largest.clamp_min(0) - least.clamp_max(0)).clamp_min(2e-30) / 254)


def moments(x):
    """The sum of x x^T over all rows of x [..., in]."""
    return x.flatten(0, -2).mT @ x.flatten(0, -2)


def rounded_together(w, steps, read):
    """w in whole steps, where the inputs that are still to be rounded make up for the error of each, given moments(what
    the layer reads) (GPTQ: Frantar et al. 2022). The strongest inputs come first, as they leave the largest errors."""
    order = read.diagonal().argsort(descending=True)
    w, read = w[:, order], read[order][:, order]
    read.diagonal().add_(0.01 * read.diagonal().mean())
    inverse = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(read)), upper=True)
    q = torch.empty_like(w)
    for i in range(w.shape[1]):
        q[:, i] = (w[:, i] / steps[:, 0]).round()
        error = (w[:, i] - q[:, i] * steps[:, 0]) / inverse[i, i]
        w[:, i:] -= torch.outer(error, inverse[i, i:])
    return q[:, order.argsort()]


def settled(w, read=None):
    """w rounded to steps that the converter finds again: the largest sum of each row has 126 of them, where rounding
    alone leaves 124 to 128, and making up for errors strays further. `read`: moments(what the layer reads), if known."""
    w, steps = w.float(), weight_steps(w)
    q = fours((w / steps).round() if read is None else rounded_together(w, steps, read))
    for sign in (1, -1):
        while (over := (sign * q).clamp_min(0).sum(-1, keepdim=True) > 126).any():
            q.scatter_add_(-1, (sign * q).argmax(-1, keepdim=True), -sign * over.float())
    most, at = sums_of_signs(q).flatten(1).max(-1)
    for row in ((most < 126) & (most > 0)).nonzero().flatten().tolist():
        group, sign = at[row] // 2, 1 - 2 * (at[row] % 2)
        q[row, group, (sign * q[row, group]).argmax()] += sign * (126 - most[row])
    return joined(q) * steps


class Linear(nn.Linear):
    simulate_int8 = False

    def forward(self, x):
        return F.linear(round_activations(x) if Linear.simulate_int8 else x, self.used_weight(), self.bias)

    def used_weight(self):
        return round_weights(self.weight) if Linear.simulate_int8 else self.weight


class Embedding(nn.Embedding):
    def forward(self, ids):
        rows = super().forward(ids)
        return round_rows(rows) if Linear.simulate_int8 else rows


class Embeddings(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.word_embeddings = Embedding(c["vocab_size"], c["dim"])
        self.position_embeddings = Embedding(c["max_position_embeddings"], c["dim"])
        self.LayerNorm = nn.LayerNorm(c["dim"], eps=1e-12)
        self.dropout = nn.Dropout(c["dropout"])

    def forward(self, ids):
        positions = torch.arange(ids.shape[1], device=ids.device)
        return self.dropout(self.LayerNorm(self.word_embeddings(ids) + self.position_embeddings(positions)))


INT8_ATTENTION_FROM = 48  # tokens; the library attends over shorter texts in fp32


def attend_int8(q, k, v, mask, dropout):
    """Attention as from INT8_ATTENTION_FROM tokens on: queries rounded like activations, keys by token and values by
    channel like weights, e^(score - largest score) in steps of 1/254."""
    q, k, v = round_activations(q), round_rows(k), round_rows((v * mask.mT).mT).mT
    scores = (q @ k.mT * q.shape[-1] ** -0.5).masked_fill(~mask, -torch.inf)
    exponentials = (scores - scores.detach().amax(-1, keepdim=True)).exp()
    return F.dropout(round_to_steps(exponentials, 1 / 254) / exponentials.sum(-1, keepdim=True), dropout) @ v


class SelfAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.n_heads, self.attention_dropout = c["n_heads"], c["attention_dropout"]
        self.q_lin, self.k_lin, self.v_lin, self.out_lin = (Linear(c["dim"], c["dim"]) for _ in range(4))

    def heads(self, y):
        return y.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)

    def dropout(self):
        return self.attention_dropout if self.training else 0.0

    def joined(self, context):
        return self.out_lin(context.transpose(1, 2).flatten(-2))

    def forward(self, x, mask):
        q, k, v = (self.heads(lin(x)) for lin in (self.q_lin, self.k_lin, self.v_lin))
        context = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=self.dropout())
        if Linear.simulate_int8 and x.shape[1] >= INT8_ATTENTION_FROM:
            long = mask.sum(-1, keepdim=True) >= INT8_ATTENTION_FROM
            context = torch.where(long, attend_int8(q, k, v, mask, self.dropout()), context)
        return self.joined(context)

    def forward_first(self, x, mask):
        """The same for the first token alone, in the library's order: each head attends to the hidden states as they
        are, W_k being applied to the query before and W_v to the sum after."""
        q, k = self.heads(self.q_lin(x[:, :1])), self.heads(F.linear(x, self.k_lin.used_weight(), self.k_lin.bias))
        states = x[:, None].expand(-1, self.n_heads, -1, -1)
        scores = (q @ k.mT * q.shape[-1] ** -0.5).masked_fill(~mask, -torch.inf)
        sums = F.dropout(scores.softmax(-1), self.dropout()) @ states
        if Linear.simulate_int8:
            sums = round_activations(sums)
        context = sums @ self.v_lin.used_weight().unflatten(0, (self.n_heads, -1)).mT
        return self.joined(context + self.v_lin.bias.view(self.n_heads, 1, -1))


class FeedForward(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.lin1, self.lin2 = Linear(c["dim"], c["hidden_dim"]), Linear(c["hidden_dim"], c["dim"])
        self.dropout = nn.Dropout(c["dropout"])

    def forward(self, x):
        return self.dropout(self.lin2(F.gelu(self.lin1(x))))


class TransformerBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.attention, self.ffn = SelfAttention(c), FeedForward(c)
        self.sa_layer_norm, self.output_layer_norm = (nn.LayerNorm(c["dim"], eps=1e-12) for _ in range(2))

    def forward(self, x, mask):
        return self.rest(self.attention(x, mask), x)

    def forward_first(self, x, mask):
        return self.rest(self.attention.forward_first(x, mask), x[:, :1])

    def rest(self, attended, x):
        x = self.sa_layer_norm(attended + x)
        return self.output_layer_norm(self.ffn(x) + x)


class Transformer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.layer = nn.ModuleList(TransformerBlock(c) for _ in range(c["n_layers"]))


class DistilBertModel(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embeddings, self.transformer = Embeddings(c), Transformer(c)

    def forward(self, ids, mask):
        """hidden states of the first token"""
        x = self.embeddings(ids)
        for block in self.transformer.layer[:-1]:
            x = block(x, mask)
        return self.transformer.layer[-1].forward_first(x, mask)[:, 0]


class DistilBertForSequenceClassification(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.distilbert = DistilBertModel(c)
        self.pre_classifier, self.classifier = Linear(c["dim"], c["dim"]), nn.Linear(c["dim"], len(c["id2label"]))
        self.dropout = nn.Dropout(c["seq_classif_dropout"])

    def forward(self, ids, pad_token_id=0):
        cls = self.distilbert(ids, (ids != pad_token_id)[:, None, None, :])
        return self.classifier(self.dropout(F.relu(self.pre_classifier(cls))))

    def device(self):
        return self.classifier.weight.device

    @torch.no_grad()
    def settle(self):
        """Puts the weights that int8 inference rounds on the steps of int8."""
        self.settle_embeddings()
        for module in self.modules():
            if isinstance(module, Linear):
                module.weight.copy_(settled(module.weight))

    @torch.no_grad()
    def settle_embeddings(self):
        for module in self.modules():
            if isinstance(module, Embedding):
                module.weight.copy_(round_rows(module.weight))

    @torch.no_grad()
    def settle_on(self, texts):
        """The same, such that these texts (ids [n, length] each, nothing padded) feel it least: layer after layer, each
        from what it reads once those before are rounded. In the last block what follows attention sees the first token
        alone, as the head does."""
        self.eval()

        def settle(lin, read):
            lin.weight.copy_(settled(lin.weight, read))

        self.settle_embeddings()
        states = [self.distilbert.embeddings(ids) for ids in texts]
        mask = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=self.device())
        layers = self.distilbert.transformer.layer
        for layer in tqdm(layers, desc="rounding", unit="layer"):
            run = layer.forward_first if layer is layers[-1] else layer.forward
            attention, ffn = layer.attention, layer.ffn
            read = sum(moments(x) for x in states)
            for lin in (attention.q_lin, attention.k_lin, attention.v_lin):
                settle(lin, read)
            for lin in (attention.out_lin, ffn.lin1, ffn.lin2):
                reads = []
                hook = lin.register_forward_pre_hook(lambda _, arguments: reads.append(moments(*arguments)))
                for x in states:
                    run(x, mask)
                hook.remove()
                settle(lin, sum(reads))
            states = [run(x, mask) for x in states]
        settle(self.pre_classifier, sum(moments(x[:, 0]) for x in states))


def from_bert(bert, c):
    """A DistilBERT that computes what the BERT encoder `bert` (a state dict) does on texts of token type 0."""
    model = DistilBertForSequenceClassification(c)
    own = model.state_dict()
    own["distilbert.embeddings.word_embeddings.weight"] = bert["embeddings.word_embeddings.weight"]
    own["distilbert.embeddings.position_embeddings.weight"] = (
        bert["embeddings.position_embeddings.weight"] + bert["embeddings.token_type_embeddings.weight"][0]
    )
    names = {
        "attention.q_lin": "attention.self.query",
        "attention.k_lin": "attention.self.key",
        "attention.v_lin": "attention.self.value",
        "attention.out_lin": "attention.output.dense",
        "sa_layer_norm": "attention.output.LayerNorm",
        "ffn.lin1": "intermediate.dense",
        "ffn.lin2": "output.dense",
        "output_layer_norm": "output.LayerNorm",
    }
    for kind in ("weight", "bias"):
        own[f"distilbert.embeddings.LayerNorm.{kind}"] = bert[f"embeddings.LayerNorm.{kind}"]
        for layer in range(c["n_layers"]):
            for ours, theirs in names.items():
                own[f"distilbert.transformer.layer.{layer}.{ours}.{kind}"] = bert[f"encoder.layer.{layer}.{theirs}.{kind}"]
    model.load_state_dict(own)
    nn.init.normal_(model.pre_classifier.weight, std=0.02)
    nn.init.normal_(model.classifier.weight, std=0.02)
    nn.init.zeros_(model.pre_classifier.bias)
    nn.init.zeros_(model.classifier.bias)
    return model
