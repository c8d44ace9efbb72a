# What is stuck on a parcel.
class Label
  def initialize(to, grams)
    @to = to
    @grams = grams
  end

  def text
    "#{@to.upcase} (#{format('%.2f', @grams / 1000.0)} kg)"
  end
end
