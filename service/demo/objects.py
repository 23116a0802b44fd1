"""The living and made things of the demo world that have nothing to do with its shortcut."""

from __future__ import annotations

import numpy as np

from service.demo.canvas import Canvas, Colour, Field, Frame, colour, mix, smooth
from service.demo.textures import coat, courses, grain, scales, stones, wood

WHITE = colour(0.1, 0.03, 0.98)
BLACK = colour(0.6, 0.2, 0.08)


def _both(*shapes: Field) -> Field:
    """Signed distance to the union of shapes."""
    return np.asarray(np.minimum.reduce(shapes), np.float32)


def _bright(canvas: Canvas) -> Colour:
    return colour(canvas.between(0, 1), canvas.between(0.6, 0.95), canvas.between(0.75, 1))


def draw_ball(canvas: Canvas) -> None:
    """A ball: beach ball, football, basketball, or one with a printed pattern."""
    f = canvas.frame((0.42, 0.75), np.pi)
    z = np.sqrt(np.clip(1 - f.radius**2, 0, 1))
    bulge = 1 / (0.55 + 0.45 * z)  # patterns shrink towards the rim
    u, v = f.u * bulge, f.v * bulge
    kind = canvas.pick(0, 3)
    if kind == 0:
        sector = np.floor(np.arctan2(f.v + 0.25, f.u - 0.2) / np.pi * 3) % 3
        paint = mix(WHITE, _bright(canvas), (sector == 1).astype(np.float32))
        paint = mix(paint, _bright(canvas), (sector == 2).astype(np.float32))
        paint = mix(paint, WHITE, f.cover(np.hypot(f.u - 0.2, f.v + 0.25) - 0.16))
    elif kind == 1:
        cells = stones(canvas.rng, u * 1.5 + 9, v * 1.5 + 9)
        paint = mix(WHITE, BLACK, (cells.tint < 0.4).astype(np.float32))
        paint = mix(colour(0, 0, 0.25), paint, smooth(0.02, 0.1, cells.border))
    elif kind == 2:
        seam = np.minimum(np.minimum(np.abs(u), np.abs(v)), np.abs(np.abs(u) - 0.75 - 0.35 * v * v))
        skin = colour(canvas.between(0.04, 0.09), 0.8, 0.9) * (1 + 0.06 * canvas.noise(2))[..., None]
        paint = mix(BLACK, skin, smooth(0.02, 0.07, seam))
    else:
        paint = mix(_bright(canvas), _bright(canvas), coat(canvas, u, v))
    cover = f.cover(f.radius - 1)
    canvas.shadow(cover, 0.16)
    canvas.paint(cover, paint * canvas.dome(f)[..., None])
    glint = np.hypot(f.across - 0.45 * canvas.light[0], f.down - 0.45 * canvas.light[1])
    canvas.paint(smooth(0.3, 0.0, glint) * 0.7, WHITE)


def draw_butterfly(canvas: Canvas) -> None:
    """A butterfly with spotted, dark-rimmed wings."""
    f = canvas.frame((0.6, 0.85), 0.8)
    u = np.abs(f.u)
    folded = Frame(u, f.v, f.across, f.down, f.scale)
    upper = _turned(folded, (0.5, -0.38), (0.56, 0.36), canvas.between(-0.9, -0.6))
    lower = _turned(folded, (0.38, 0.38), (0.42, 0.32), canvas.between(0.6, 1.0))
    wings = _both(upper, lower)
    base, tip = _bright(canvas), _bright(canvas)
    fan = np.arctan2(f.v + 0.02, u)
    paint = mix(base, tip, smooth(0.2, 1.0, np.hypot(u, f.v)))
    paint = mix(BLACK, paint, smooth(0.03, 0.12, np.abs(np.sin(5.5 * fan)) * np.hypot(u, f.v)))
    paint = mix(BLACK, paint, smooth(-0.06, -0.12, wings))
    dots = 8 * (0.28 - np.abs((fan * 4.5) % 1 - 0.5)) - 60 * np.abs(wings + 0.06)
    paint = mix(paint, WHITE, np.clip(dots, 0, 1))
    ring = np.minimum(np.hypot(u - 0.62, f.v + 0.45), np.hypot(u - 0.42, f.v - 0.42))
    paint = mix(paint, _bright(canvas), smooth(0.16, 0.12, ring))
    paint = mix(paint, BLACK, smooth(0.09, 0.06, ring))
    cover = f.cover(wings)
    canvas.shadow(cover, 0.1)
    canvas.paint(cover, paint * canvas.slope(f)[..., None])
    feeler = f.line(u - 0.12 - 0.5 * (f.v + 0.5) ** 2, 0.04) * ((f.v > -0.85) & (f.v < -0.45))
    canvas.paint(np.asarray(feeler, np.float32), BLACK)
    canvas.paint(f.cover(f.ellipse((0, 0), (0.075, 0.5))), colour(0.07, 0.6, 0.2))


def _turned(f: Frame, centre: tuple[float, float], radii: tuple[float, float], turn: float) -> Field:
    """Signed distance to an ellipse turned about its own centre."""
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    a, b = f.u - centre[0], f.v - centre[1]
    inner = Frame(c * a + s * b, c * b - s * a, f.across, f.down, f.scale)
    return inner.ellipse((0, 0), radii)


def draw_fish(canvas: Canvas) -> None:
    """A fish with scales, often striped or spotted too."""
    f = canvas.frame((0.6, 0.9), 0.5)
    if canvas.chance(0.5):
        f = Frame(-f.u, f.v, f.across, f.down, f.scale)
    height = canvas.between(0.34, 0.5)
    body = f.ellipse((-0.15, 0), (0.8, height))
    fork = np.abs(f.v) - 0.75 * (f.u - 0.42)
    tail = np.maximum(np.maximum(fork, f.u - 0.98 + 0.3 * (0.4 - np.abs(f.v))), 0.42 - f.u) * 0.8
    fin = np.maximum(np.abs(f.u + 0.05) - 0.35, np.abs(f.v) - height - 0.16 + 0.25 * np.abs(f.u + 0.2)) * 0.9
    back, belly, fins = _bright(canvas), mix(_bright(canvas), WHITE, np.float32(0.5) + 0 * f.u), _bright(canvas)
    outline = _both(body, tail, fin)
    canvas.shadow(f.cover(outline), 0.12)
    rays = 0.7 + 0.3 * np.sin(26 * np.where(f.u > 0.45, f.v, f.u + 0.3 * f.v))
    canvas.paint(f.cover(_both(tail, fin)), fins * rays[..., None])
    skin = mix(back, belly, smooth(-0.3, 0.9, f.v / height))
    if canvas.chance(0.6):
        skin = mix(skin, _bright(canvas), coat(canvas, f.u, f.v) * smooth(-0.62, -0.5, f.u))
    count = canvas.between(5.5, 8)
    skin = skin * (1.15 - 0.6 * scales(9 + f.u * count, 9 + f.v * count) * smooth(-0.6, -0.45, f.u))[..., None]
    lit = 1.15 - 0.55 * (f.v / height + 0.3) ** 2
    canvas.paint(f.cover(body), skin * np.clip(lit, 0.35, 1.2)[..., None])
    gill = f.line(np.hypot(f.u + 0.85, f.v) - 0.33, 0.04) * f.cover(body)
    canvas.paint(gill, BLACK)
    eye = np.hypot(f.u + 0.68, f.v + 0.1)
    canvas.paint(f.cover(eye - 0.12), WHITE)
    canvas.paint(f.cover(eye - 0.065), BLACK)


def draw_flower(canvas: Canvas) -> None:
    """A flower seen from above: one or two rings of petals around a seeded centre."""
    f = canvas.frame((0.5, 0.8), np.pi)
    count, sharp = canvas.pick(5, 13), canvas.between(0.35, 0.9)
    hue, heart = canvas.between(0.7, 1.2), canvas.between(0.22, 0.4)
    for ring in range(canvas.pick(1, 3)):
        size = 1 - 0.27 * ring
        swing = np.abs(np.cos(count / 2 * (f.angle + 0.5 * ring))).astype(np.float32) ** sharp
        edge = f.radius - size * (0.45 + 0.55 * swing)
        streak = 0.85 + 0.15 * np.sin(count * 6 * f.angle)
        outer, inner = colour(hue, canvas.between(0.4, 0.9), 0.97), colour(hue + 0.06, 0.85, 0.75)
        petal = mix(inner, outer, smooth(0.25, 0.9, f.radius / size)) * (streak * (0.65 + 0.35 * swing))[..., None]
        canvas.shadow(f.cover(edge), 0.07, 0.4)
        canvas.paint(f.cover(edge * 0.7), petal * canvas.slope(f)[..., None])
    seeds = stones(canvas.rng, f.u * 8 + 9, f.v * 8 + 9)
    core = colour(canvas.between(0.06, 0.16), 0.9, canvas.between(0.35, 0.95))
    paint = core * (1.15 - 0.75 * seeds.centre)[..., None] * canvas.dome(f, heart * 1.2)[..., None]
    canvas.paint(f.cover(f.radius - heart), paint)


def draw_leaf(canvas: Canvas) -> None:
    """A leaf with veins: long, heart-shaped or lobed, green or in autumn colours."""
    f = canvas.frame((0.65, 0.92), np.pi)
    kind = canvas.pick(0, 2)
    if kind == 0:
        width = canvas.between(0.35, 0.6)
        edge = (np.abs(f.v) - width * (1 - f.u**2) * (1 - 0.25 * f.u)) * 0.8
    elif kind == 1:
        edge = (
            np.hypot(f.u * 0.95, f.v) - 0.42 - 0.4 * np.cos(f.angle / 2) ** 2 + 0.1 * np.abs(np.sin(f.angle / 2)) ** 9
        )
    else:
        lobes = canvas.pick(2, 3)
        edge = 0.7 * (f.radius - 0.5 - 0.4 * np.abs(np.cos((lobes + 0.5) * f.angle)) * (0.7 + 0.3 * np.cos(f.angle)))
    edge = np.asarray(edge + 0.025 * np.sin(46 * f.u), np.float32)
    hue = canvas.between(0.2, 0.36) if canvas.chance(0.6) else canvas.between(-0.02, 0.13)
    blotch = smooth(-1.5, 1.5, canvas.clouds(30))
    paint = mix(colour(hue, 0.85, 0.45), colour(hue - 0.05, 0.7, 0.88), blotch)
    side = np.abs((np.abs(f.v) * 0.9 - f.u * 0.8) * 3.6 % 1 - 0.5)
    vein = np.maximum(f.line(f.v, 0.05), smooth(0.1, 0.03, side) * 0.8)
    paint = paint * (0.85 + 0.3 * smooth(0.05, 0.5, side))[..., None]
    stalk = f.box((-0.7, 0), (0.5, 0.03))
    canvas.shadow(f.cover(_both(edge, stalk)), 0.1)
    canvas.paint(f.cover(stalk), colour(hue - 0.04, 0.7, 0.5))
    canvas.paint(f.cover(edge), mix(paint, colour(hue - 0.05, 0.35, 0.95), vein * 0.75) * canvas.slope(f)[..., None])


def draw_mask(canvas: Canvas) -> None:
    """A carved and painted mask with eyes, nose and mouth."""
    f = canvas.frame((0.62, 0.88), 0.3)
    narrow = canvas.between(0.6, 0.8)
    edge = np.asarray((np.hypot(f.u / narrow * (1 + 0.25 * f.v), f.v) - 0.98) * narrow, np.float32)
    ears = np.hypot(np.abs(f.u) - narrow * 0.95, f.v + canvas.between(0, 0.7)) - canvas.between(0.1, 0.26)
    paint = wood(canvas, f.v * 2, f.u * 4, canvas.between(0.02, 0.1))
    if canvas.chance(0.4):
        paint = _bright(canvas) * (0.8 + 0.3 * grain(canvas, f.v * 2, f.u * 4))[..., None]
    bands = smooth(0.0, 0.3, np.sin(canvas.between(8, 12) * (f.v + canvas.between(-0.6, 0.6) * np.abs(f.u))))
    where = (f.v < -0.45) if canvas.chance(0.5) else (np.abs(f.u) > 0.28 * (1.2 - f.v)) & (f.v > -0.15)
    paint = mix(paint, _bright(canvas), bands * where)
    cover = f.cover(_both(edge, np.asarray(ears, np.float32)))
    canvas.shadow(cover, 0.13)
    relief = canvas.dome(f, 1.15) + 0.25 * smooth(0.12, 0.0, np.abs(f.u) - 0.04) * (np.abs(f.v - 0.05) < 0.3)
    canvas.paint(cover, paint * relief[..., None])
    rim, inner = _bright(canvas), WHITE if canvas.chance(0.5) else BLACK
    eye = _turned(
        Frame(np.abs(f.u), f.v, f.across, f.down, f.scale), (0.28, -0.22), (0.2, 0.13), canvas.between(-0.5, 0.5)
    )
    canvas.paint(f.cover(eye - 0.06), rim)
    canvas.paint(f.cover(eye), inner)
    canvas.paint(f.cover(np.hypot(np.abs(f.u) - 0.28, f.v + 0.22) - 0.07), BLACK)
    nose = np.maximum(np.abs(f.u) - 0.05 - 0.12 * (f.v + 0.2), np.abs(f.v - 0.02) - 0.22)
    canvas.paint(f.cover(np.asarray(nose, np.float32)), paint * 0.6)
    mouth = f.box((0, 0.5), (canvas.between(0.2, 0.33), canvas.between(0.07, 0.15)), 0.07)
    canvas.paint(f.cover(mouth - 0.05), rim)
    teeth = mix(BLACK, WHITE, smooth(0.1, 0.2, np.abs((f.u * 9) % 1 - 0.5)) * (np.abs(f.v - 0.5) > 0.02))
    canvas.paint(f.cover(mouth), teeth)


def draw_wheel(canvas: Canvas) -> None:
    """A wheel: a tyre with tread or a wooden rim, spokes and a hub."""
    f = canvas.frame((0.55, 0.9), np.pi)
    wooden, count = canvas.chance(0.35), canvas.pick(5, 14)
    tyre = canvas.between(0.72, 0.84)
    ring = np.maximum(f.radius - 1, tyre - f.radius)
    spoke = np.abs(((f.angle / (2 * np.pi) * count) % 1 - 0.5) * 2 * np.pi / count) * f.radius
    spokes = np.maximum(spoke - canvas.between(0.02, 0.09), f.radius - tyre)
    hub, axle = f.radius - canvas.between(0.14, 0.24), f.radius - 0.07
    if wooden:
        metal = wood(canvas, f.radius * 3, f.angle * 3, canvas.between(0.05, 0.08))
        rubber = metal * 0.8
    else:
        metal = colour(canvas.between(0, 1), canvas.between(0, 0.7), canvas.between(0.65, 0.95)) * np.ones_like(
            canvas.pixels
        )
        tread = smooth(-0.2, 0.2, np.sin(canvas.pick(40, 60) * f.angle) + 4 * (0.93 - f.radius))
        rubber = mix(colour(0.6, 0.1, 0.05), colour(0.6, 0.08, 0.27), np.asarray(tread, np.float32))
    shape = _both(ring, np.asarray(spokes, np.float32), hub)
    canvas.shadow(f.cover(shape), 0.12)
    light = canvas.slope(f, 0.3)[..., None]
    canvas.paint(f.cover(np.asarray(spokes, np.float32)), metal * light)
    canvas.paint(f.cover(ring), rubber * light)
    canvas.paint(f.line(f.radius - tyre, 0.06), metal * light * 1.1)
    canvas.paint(f.cover(hub), metal * canvas.dome(f, 0.3)[..., None] * 1.2)
    canvas.paint(f.cover(axle), BLACK)


def draw_window(canvas: Canvas) -> None:
    """A window with panes that mirror the sky or are lit from within, some arched, some with shutters."""
    f = canvas.frame((0.6, 0.82), 0.12)
    wide, high = canvas.between(0.5, 0.75), canvas.between(0.75, 0.95)
    outer = f.box((0, 0), (wide, high), 0.02)
    if canvas.chance(0.35):
        arch = np.hypot(f.u, f.v + high - wide) - wide
        outer = np.asarray(np.where(f.v < wide - high, arch, outer), np.float32)
    frame_paint = WHITE if canvas.chance(0.5) else _bright(canvas) * 0.6
    if canvas.chance(0.35):
        shutter = f.box((0, 0), (wide + 0.36, high), 0.02)
        slats = 0.75 + 0.3 * np.sin(30 * f.v)
        canvas.shadow(f.cover(shutter), 0.08)
        canvas.paint(f.cover(shutter), _bright(canvas) * (0.7 * slats)[..., None])
    canvas.shadow(f.cover(outer), 0.1)
    canvas.paint(f.cover(outer), frame_paint * canvas.slope(f)[..., None])
    columns, rows = canvas.pick(2, 3), canvas.pick(2, 4)
    tint, joint = courses(canvas.rng, (f.u / wide + 1) * columns / 2, (f.v / high + 1) * rows / 2, 0.0)
    if canvas.chance(0.35):
        glass = mix(colour(0.11, 0.8, 0.75), colour(0.14, 0.45, 1.0), smooth(1.2, 0.0, f.radius))
    else:
        glass = mix(colour(0.6, 0.6, 0.25), colour(0.56, 0.35, 0.9), smooth(-1.2, 1.2, f.v + 0.5 * canvas.noise(30)))
        glints = smooth(0.6, 0.9, np.sin(4 * (f.u + f.v) + canvas.between(0, 6)))
        glass = mix(glass, WHITE, glints * 0.6)
    glass = glass * (0.85 + 0.3 * tint)[..., None]
    pane = smooth(0.06, 0.11, joint) * f.cover(outer + 0.08)
    canvas.paint(pane, glass)
    sill = f.box((0, high), (wide + 0.12, 0.07), 0.02)
    canvas.paint(f.cover(sill), frame_paint * 0.85)
