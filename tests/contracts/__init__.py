"""Contracts: what every sampler and every training must keep, whatever it learns from."""
