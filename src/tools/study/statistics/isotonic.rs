//! Isotonic regression by pooling adjacent violators (R. E. Barlow and others, 1972): the frequencies that never fall as the odds grow
//! and are nearest to what happened.

/// Decisions with the same value on the curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Block {
    /// Lowest odds.
    pub from: f64,
    /// Highest odds.
    pub to: f64,
    /// How many decisions.
    pub count: f64,
    /// How many of them were right.
    pub right: f64,
}

impl Block {
    /// How often they were right.
    pub fn share(&self) -> f64 {
        self.right / self.count
    }
}

/// The blocks of decisions that are in the order of their odds; equal odds are in one block.
pub fn blocks(sorted: impl Iterator<Item = (f64, bool)>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut of_equal_odds: Option<Block> = None;
    for (odds, is_right) in sorted {
        let right = f64::from(u8::from(is_right));
        match &mut of_equal_odds {
            Some(block) if block.to == odds => {
                block.count += 1.0;
                block.right += right;
            }
            other => {
                if let Some(block) = other.replace(Block { from: odds, to: odds, count: 1.0, right }) {
                    push(&mut blocks, block);
                }
            }
        }
    }
    if let Some(block) = of_equal_odds {
        push(&mut blocks, block);
    }
    blocks
}

/// Adds a block, and joins the last two as long as the later one has no higher value.
fn push(blocks: &mut Vec<Block>, mut block: Block) {
    // Compared as products, because products of whole numbers are exact.
    while let Some(last) = blocks.pop_if(|last| last.right * block.count >= block.right * last.count) {
        block =
            Block { from: last.from, to: block.to, count: last.count + block.count, right: last.right + block.right };
    }
    blocks.push(block);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(decisions: &[(f64, bool)]) -> Vec<(f64, f64, f64)> {
        blocks(decisions.iter().copied()).iter().map(|block| (block.from, block.to, block.share())).collect()
    }

    #[test]
    fn neighbours_that_fall_are_pooled() {
        let found = shares(&[(0.1, false), (0.2, true), (0.3, false), (0.4, true), (0.5, true)]);
        assert_eq!(found, [(0.1, 0.1, 0.0), (0.2, 0.3, 0.5), (0.4, 0.5, 1.0)]);
    }

    #[test]
    fn equal_odds_are_worth_the_same() {
        assert_eq!(shares(&[(0.3, false), (0.3, true), (0.3, false), (0.3, true)]), [(0.3, 0.3, 0.5)]);
        assert_eq!(shares(&[]), []);
    }

    #[test]
    fn falling_truth_is_one_block() {
        let found = shares(&[(0.1, true), (0.2, true), (0.3, false), (0.4, false)]);
        assert_eq!(found, [(0.1, 0.4, 0.5)]);
    }
}
