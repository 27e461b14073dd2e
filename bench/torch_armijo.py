"""Gradient descent with Armijo's search in PyTorch, for softmax and logistic losses: gradients written out."""

import torch

__all__ = ["TorchArmijo"]

torch.set_num_threads(1)


class TorchArmijo:
    """`l(W1 @ W2)` of targets: indicators of m classes, or 0 and 1 for one output."""

    def __init__(self, X, targets, l2, W1, W2):
        self.X, self.targets, self.l2 = torch.from_numpy(X), torch.from_numpy(targets), l2
        self.start = torch.from_numpy(W1.copy()), torch.from_numpy(W2.copy())

    def value(self, W1, W2):
        """Return the loss, and the product and logits that it is computed from."""
        W = W1 @ W2
        Z = self.X @ W
        partition = torch.logsumexp(Z, 1) if Z.shape[1] > 1 else torch.nn.functional.softplus(Z)
        loss = partition.sum() - torch.dot(self.targets.ravel(), Z.ravel())
        return (loss + self.l2 / 2 * torch.dot(W.ravel(), W.ravel())).item(), W, Z

    def gradients(self, W1, W2, W, Z):
        """Return the gradients in both layers."""
        P = torch.softmax(Z, 1) if Z.shape[1] > 1 else torch.sigmoid(Z)
        G = self.X.T @ (P - self.targets) + self.l2 * W
        return G @ W2.T, W1.T @ G

    def run(self, goal, eta, c=0.5, shrink=0.5):
        """Return the losses and steps until the loss is at most `goal`; the first trial is a step of `eta`."""
        W1, W2 = self.start
        loss, W, Z = self.value(W1, W2)
        losses, steps = [loss], []
        while loss > goal:
            g1, g2 = self.gradients(W1, W2, W, Z)
            asked = c * (torch.dot(g1.ravel(), g1.ravel()) + torch.dot(g2.ravel(), g2.ravel())).item()
            eta = 2 * eta if steps else eta
            while True:
                moved = W1 - eta * g1, W2 - eta * g2
                found, W, Z = self.value(*moved)
                if found <= loss - eta * asked:
                    break
                eta *= shrink
            (W1, W2), loss = moved, found
            losses.append(loss)
            steps.append(eta)
        return losses, steps
